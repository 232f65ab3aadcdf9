"""The divergence scan within a Trainer: it leaves no trace in the run, and is not repeated."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
from dataclasses import replace

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from autolr.callbacks import AutoLR
from autolr.online import Annealed
from tests.callbacks.runs import Bare, Net, differences, fit, val_loader
from tests.cases import only_with_slow

LR = 0.03  # which races too: within the peaks around the scan's centre
RACE = Annealed(candidates=3, checks=(), budget=4.0)  # to step 14 of 28
LONG = replace(RACE, budget=40.0)

pytestmark = pytest.mark.filterwarnings("ignore")


class Uncommon(torch.optim.AdamW):
    """Not among the optimizers with a customary peak."""


class Odd(Net):
    """Trained with it, in two groups; counts the optimizer's steps and its batches."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_start(self, batch, batch_idx):
        self.seen.append(batch_idx)

    def configure_optimizers(self):
        groups = [{"params": self.body.parameters(), "lr": LR / 3}, {"params": self.head[1].weight}]
        return Uncommon(groups, lr=LR)


class Quiet(Bare):
    """As `Bare`, trained with it."""

    def configure_optimizers(self):
        return Uncommon(self.parameters(), lr=LR)


def around(centre):
    return (centre / 16, centre * 16)


@pytest.mark.parametrize(
    "trainer",
    [
        {},
        *only_with_slow({"accumulate_grad_batches": 2}, {"gradient_clip_val": 0.1}),
        *only_with_slow({"val": None}),
    ],
    ids=str,
)
def test_a_run_after_a_scan_is_to_the_bit_one_with_the_rates_around_its_centre(tmp_path, trainer):
    ours, theirs = AutoLR(strategy=RACE), None
    scanned = fit(tmp_path / "scanned", Odd, [ours], **trainer)
    rates = around(ours.result.scan.centre)
    theirs = AutoLR(strategy=RACE, rates=rates)
    given = fit(tmp_path / "given", Odd, [theirs], **trainer)
    assert ours.result.probe_steps == theirs.result.probe_steps + ours.result.scan.steps
    assert ours.result.peak == theirs.result.peak
    assert [s.score for s in ours.result.scores] == [s.score for s in theirs.result.scores]
    assert differences(given.left, scanned.left) == []


def test_with_rates_nothing_is_scanned(tmp_path):
    callback = AutoLR(strategy=RACE, rates=(LR / 2, LR * 2))
    fit(tmp_path, Odd, [callback], max_epochs=2)
    assert callback.result.scan is None


def test_a_run_that_accumulates_gradients_is_scanned_at_the_size_of_a_whole_step(tmp_path):
    scans = []
    for batches in (1, 4):
        callback = AutoLR(strategy=LONG)
        settings = {"accumulate_grad_batches": batches, "max_epochs": 2}
        fit(tmp_path / str(batches), Quiet, [callback], **settings)
        scans.append(callback.result.scan)
    assert scans[0].losses == scans[1].losses


def test_the_scan_is_printed_once_and_stays_in_the_checkpoints(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    caplog.set_level(logging.INFO, logger="lightning.pytorch")
    kept = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, save_on_train_epoch_end=True)
    whole = AutoLR(strategy=RACE)
    run = fit(tmp_path / "whole", Quiet, [whole, kept])
    rest = AutoLR(strategy=RACE)
    path = str(tmp_path / "step=7.ckpt")  # in the race
    resumed = fit(tmp_path / "rest", Quiet, [rest], ckpt_path=path)
    assert rest.result == whole.result
    assert rest.result.scan is not None
    assert differences(run.left["weights and buffers"], resumed.left["weights and buffers"]) == []
    lines = [line for line in caplog.messages if "diverges (" in line]
    assert len(lines) == 1
    assert f"a rate of {whole.result.scan.edge:.3g} diverges" in lines[0]


def test_a_scheduler_of_the_modules_own_is_scanned_from_the_rate_that_it_begins_with(tmp_path):
    class Rising(Quiet):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            rise = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 8))
            return [optimizer], [{"scheduler": rise, "interval": "step"}]

    scans = []
    for make in (Quiet, Rising):
        callback = AutoLR(strategy=LONG)
        fit(tmp_path / make.__name__, make, [callback], val=val_loader())
        scans.append(callback.result.scan)
    # the same rates, whatever the scheduler has made of the optimizer's, up to rounding
    assert scans[0].losses[:10] == pytest.approx(scans[1].losses[:10], rel=1e-5)
    assert scans[0].edge == pytest.approx(scans[1].edge, rel=1e-9)
