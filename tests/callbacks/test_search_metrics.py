"""The values of a search that the loggers of the Trainer get, and that the run is not changed."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch

from autolr.callbacks import AutoLR
from tests.callbacks.runs import LR, RACE, Net, curve, fit

RATES = (2.0**-16, 2.0**-6)


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


class Cosine(Net):
    """With a scheduler of its own, over the 28 steps of the run."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 28)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


@pytest.mark.filterwarnings("ignore")
def test_the_rate_is_that_of_the_runs_own_steps(tmp_path):
    callback = searcher()
    fit(tmp_path, Cosine, [callback], log_every_n_steps=3)
    end, actual = callback.result.probes.horizon.max(), callback.result.peak
    assert actual not in (RATES[0], LR)  # it begins with its own
    peaks = {step: LR if step < end else actual for step in range(2, 28, 3)}
    expected = {n: peak * (1 + math.cos(math.pi * n / 28)) / 2 for n, peak in peaks.items()}
    assert curve(tmp_path, "autolr/rate") == pytest.approx(expected, rel=1e-9)  # it is recursive


@pytest.mark.filterwarnings("ignore")
def test_scores_come_at_their_horizons_and_the_peak_at_the_end(tmp_path):
    callback = searcher(monitor="val_acc", mode="max")
    fit(tmp_path, Net, [callback], log_every_n_steps=2)
    result = callback.result
    for kept, name in ((True, "score"), (False, "rival_score")):
        best = result.probes[result.probes.kept == kept].groupby("horizon").score.min()
        # accuracies as they are, where the search turns their sign; steps are counted from 0
        expected = {horizon - 1: -score for horizon, score in best.items()}
        assert curve(tmp_path, f"autolr/{name}") == pytest.approx(expected, rel=1e-12)
        assert expected
    end = result.probes.horizon.max() - 1
    steps = [end, *(step for step in range(1, 28, 2) if step > end)]
    assert curve(tmp_path, "autolr/peak") == dict.fromkeys(steps, result.peak)
    spent = curve(tmp_path, "autolr/probe_steps")
    assert list(spent) == [*range(1, end, 2), end]
    assert spent[end] == result.probe_steps


class Exploding(Net):
    """Validates to infinity where its weights have become large."""

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        large = self.head[1].weight.abs().max() > 1
        self.log("height", math.inf if large else 1.0)


@pytest.mark.filterwarnings("ignore")
def test_a_probe_that_diverged_has_no_score_to_draw(tmp_path):
    callback = searcher(monitor="height", mode="min", rates=(2.0**-16, 2.0**-1))
    fit(tmp_path, Exploding, [callback])
    probes = callback.result.probes
    assert probes.score.max() == math.inf
    finite = probes[probes.score < math.inf]
    for kept, name in ((True, "score"), (False, "rival_score")):
        horizons = sorted(set(finite.horizon[finite.kept == kept]))
        assert list(curve(tmp_path, f"autolr/{name}")) == [horizon - 1 for horizon in horizons]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_accumulated_batches_are_not_counted_as_steps(tmp_path):
    fit(tmp_path, Net, [searcher()], accumulate_grad_batches=3, log_every_n_steps=4)
    assert list(curve(tmp_path, "autolr/rate")) == [3, 7, 11]  # of 12 steps


@pytest.mark.filterwarnings("ignore")
def test_without_a_logger_nothing_is_logged(tmp_path):
    callback = searcher()
    run = fit(tmp_path, Net, [callback], logger=False)
    assert callback.result.peak != LR
    assert not [name for name in run.trainer.callback_metrics if "autolr" in name]
    assert not (tmp_path / "log").exists()
