"""A strategy from outside the package: its contract, and a Trainer's run by it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.testing import StrategyContract
from examples.digits.digits import DigitsCNN, DigitsData
from examples.extending.coordinate_search import CoordinateSearch

STEPS = 100


class TestCoordinateSearch(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return CoordinateSearch()


def fit(tmp_path, callback):
    """Return the module of a run on the digits, trained with a callback."""
    seed_everything(0, verbose=False)
    module = DigitsCNN(hidden=4)
    trainer = Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[callback],
    )
    trainer.fit(module, datamodule=DigitsData())
    return module


@pytest.mark.filterwarnings("ignore")
def test_it_runs_through_a_trainer_and_what_it_reports_is_what_was_done(tmp_path):
    callback = AutoLR(strategy=CoordinateSearch(budget=0.8, rounds=4))
    module = fit(tmp_path, callback)
    result = callback.result
    assert [score.kept for score in result.scores].count(True) == 4
    assert [score.horizon for score in result.scores[::3]] == [10, 20, 30, 40]
    assert result.probe_steps == 80
    assert math.isfinite(result.peak)
    replayed = fit(tmp_path, FollowCandidate(result.peak, result.schedule))
    pairs = zip(module.parameters(), replayed.parameters(), strict=True)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)
