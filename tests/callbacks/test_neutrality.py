"""A search that may only pick what the user set leaves no trace, bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from functools import cache

import pytest
import torch

from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.neutral import SETUPS
from tests.callbacks.runs import (
    LR,
    Net,
    differences,
    fit,
)
from tests.cases import with_slow

ONLY = schedules.constant()


LOSING = Annealed(  # beside rivals at 2,048 times the rate, and watched to the end
    budget=3.0,
    candidates=2,
    checks=(Check(0.6, 0.7, (2.0**11,), refines=True), Check(0.8, 0.8), Check(0.95, 0.95)),
    thresholds=Thresholds(rollbacks=0),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return a function from the name of a set-up to its run without a search."""

    @cache
    def run(name):
        make, setup = SETUPS[name]
        settings = setup()
        settings.pop("two", None)
        return fit(tmp_path_factory.mktemp("plain"), make, **settings)

    return run


def searched(name, folder, *strategy, **own):
    """Return the callback of a set-up's run with a search, and the run."""
    make, setup = SETUPS[name]
    settings = setup()
    monitor = "val_loss/dataloader_idx_1" if settings.pop("two", False) else "val_loss"
    callback = AutoLR(*strategy, schedule=ONLY, monitor=monitor, **own)
    return callback, fit(folder, make, [callback], **settings)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    with_slow(
        [*SETUPS],
        "accumulated gradients, a partial last window",
        "several groups",
        "own random numbers",
        "no validation",
        "validation within the epoch",
        "bfloat16",
    ),
)
def test_a_search_with_one_candidate_changes_no_bit(name, plain, tmp_path):
    callback, run = searched(name, tmp_path, rates=(LR, LR))
    assert len(callback.result.scores) == 1
    assert callback.result.peak == LR
    assert callback.result.total_steps == plain(name).trainer.global_step
    assert differences(run.left, plain(name).left) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SETUPS)
def test_a_search_whose_rivals_all_lose_changes_no_bit(name, plain, tmp_path):
    callback, run = searched(name, tmp_path, LOSING, rates=(LR, LR * 2.0**22))
    assert callback.result.peak == LR
    assert callback.result.probe_steps > 0
    assert differences(run.left, plain(name).left) == []


@pytest.mark.filterwarnings("ignore")
def test_the_comparison_sees_a_difference_of_one_draw(tmp_path):
    class Draws(Net):
        def on_train_end(self):
            torch.rand(1)

    actual = differences(fit(tmp_path / "a").left, fit(tmp_path / "b", Draws).left)
    assert actual == ["/generators/2"]


@pytest.mark.filterwarnings("ignore")
def test_the_comparison_sees_another_rate(tmp_path):
    actual = differences(
        fit(tmp_path / "a").left, fit(tmp_path / "b", lambda: Net(LR * (1 + 1e-6))).left
    )
    roots = {path.split("/")[1] for path in actual}
    assert roots >= {
        "weights and buffers",
        "optimizer",
        "metrics.csv",
        "callback_metrics",
        "checkpoint",
    }


def test_without_validation_a_warning_says_what_is_compared(tmp_path):
    callback = AutoLR(schedule=ONLY, rates=(LR, LR))
    with pytest.warns(UserWarning, match="AutoLR: no validation loop, so the training loss"):
        fit(tmp_path, callbacks=[callback], val=None)
    assert callback.result.validation_passes == 0
    assert callback.result.probes.score.between(0, 5).all()
