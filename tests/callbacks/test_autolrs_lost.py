"""Runs by AutoLRS that diverge, and where they continue."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from autolr.errors import DivergedError
from autolr.online import AutoLRS
from tests.callbacks.autolrs_runs import EPOCHS, searcher
from tests.callbacks.runs import curve, fit
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


class Line(pl.LightningModule):
    """Loss = w**2 / 2, by SGD: a rate r multiplies w by 1 - r."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))

    def training_step(self, batch, batch_idx):
        return self.w.square().sum() / 2

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.w.square().sum() / 2)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_run_that_diverges_at_its_first_rate_continues_as_a_probe_that_does_not(tmp_path):
    class Far(Line):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e15)

    callback = searcher(rates=(0.01, 1e32))  # it begins with the one next to its own
    run = fit(tmp_path, Far, [callback], max_epochs=EPOCHS)
    assert 0 < run.module.w.item() < 1
    assert curve(tmp_path, "autolr/rate")[0] == pytest.approx(1e15)
    assert curve(tmp_path, "autolr/rate")[10] == pytest.approx(0.01)
    first = callback.result.scores[0]
    assert (first.candidate.peak, first.kept) == (0.01, True)


def test_a_run_all_of_whose_rates_diverge_is_an_error(tmp_path):
    with pytest.raises(DivergedError, match=r"every rate tried diverged .* give lower ones"):
        fit(tmp_path, Line, [searcher(rates=(1e15, 1e16))], max_epochs=EPOCHS)


class Breaks(Line):
    """The loss of one step is not a number, for all that train on its batch."""

    at = 24

    def training_step(self, batch, batch_idx):
        broken = self.trainer.global_step == self.at
        return super().training_step(batch, batch_idx) * (float("nan") if broken else 1.0)


def test_a_run_that_is_lost_goes_back_to_where_its_stage_began_at_half_the_rate(tmp_path, caplog):
    callback = searcher(rates=(0.001, 0.1))
    run = fit(tmp_path, Breaks, [callback], max_epochs=EPOCHS)
    applied = curve(tmp_path, "autolr/rate")
    assert run.trainer.global_step == 56
    assert 0 < run.module.w.item() < 1
    (made,) = callback.result.rollbacks
    assert (made.step, made.to) == (25, 19)  # scored last as its stage begins, at 21
    assert applied[25] == pytest.approx(made.factor * applied[24])
    assert made.factor <= 0.5
    assert "step 25: the loss diverged: back to step 19, rate x" in caplog.text


@pytest.mark.parametrize("step", [*only_with_slow(40), 53, *only_with_slow(55)])
def test_a_run_that_is_lost_in_its_last_stage_goes_back_too(tmp_path, step):
    class Late(Breaks):
        at = step

    callback = searcher(rates=(0.01, 0.1), strategy=AutoLRS(probes=3, first=4))  # ends at 28, 56
    run = fit(tmp_path, Late, [callback], max_epochs=EPOCHS)
    assert 0 < run.module.w.item() < 1
    (made,) = callback.result.rollbacks
    assert step < made.step <= max(49, step + 3)
    assert made.to <= 28
