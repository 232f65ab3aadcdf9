"""Scores at rungs: those of a copy annealed by hand, at no cost to the run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.errors import ConfigError, UnsupportedError
from tests.callbacks.runs import LR, Net, differences, fit, train_loader, val_loader


class Trial:
    """Writes down what is reported; prunes at one rung, if any."""

    def __init__(self, prune_at=None):
        self.reports = {}
        self.prune_at = prune_at

    def report(self, value, step):
        assert step not in self.reports
        self.reports[step] = value

    def should_prune(self):
        return self.prune_at in self.reports


class AnnealByHand(pl.Callback):
    """Lets the run itself anneal linearly over its last steps, and validates it then."""

    def __init__(self, end, cooldown, rates):
        self.start, self.cooldown, self.rates = end - cooldown, cooldown, rates

    def on_train_batch_start(self, trainer, *_):
        (optimizer,) = trainer.optimizers
        step = trainer.global_step
        past = step - self.start
        factor = 1 - (past + 0.5) / self.cooldown if past >= 0 else 1.0
        for group in optimizer.param_groups:
            group["lr"] = self.rates(step) * factor


def by_hand(folder, end, cooldown, rates=lambda _: LR, name="val_loss", **settings):
    hand = AnnealByHand(end, cooldown, rates)
    run = fit(folder, callbacks=[hand], **{**settings, "max_epochs": -1, "max_steps": end})
    run.trainer.validate(run.module, val_loader(), verbose=False)
    return float(run.trainer.callback_metrics[name])


@pytest.mark.filterwarnings("ignore")
def test_what_is_reported_is_the_score_of_a_copy_annealed_by_hand(tmp_path):
    trial = Trial()
    prune = PruneTrial(trial, (1, 2, 10, 11, 20), cooldown=0.3)
    fit(tmp_path / "run", callbacks=[prune])
    assert list(trial.reports) == [1, 2, 10, 11, 20]
    # 0.3 of each rung, at least 2 and at most what lies between it and the rung before
    for rung, cooldown in [(1, 1), (2, 1), (10, 3), (11, 1), (20, 6)]:
        expected = by_hand(tmp_path / str(rung), rung, cooldown)
        assert trial.reports[rung] == pytest.approx(expected, rel=1e-5), rung
    assert prune.probe_steps == 1 + 1 + 3 + 1 + 6


@pytest.mark.filterwarnings("ignore")
def test_the_copy_anneals_from_the_candidates_schedule(tmp_path):
    schedule, trial = schedules.warmup(0.2) | schedules.cosine(), Trial()
    follow = FollowCandidate(2 * LR, schedule)
    fit(tmp_path / "run", callbacks=[follow, PruneTrial(trial, (10,), cooldown=0.3)])
    expected = by_hand(
        tmp_path / "hand", 10, 3, lambda step: 2 * LR * schedule.at(step, total_steps=28)
    )
    assert trial.reports == {10: pytest.approx(expected, rel=1e-5)}


@pytest.mark.filterwarnings("ignore")
def test_the_copy_counts_optimizer_steps_not_batches(tmp_path):
    trial = Trial()
    settings = {"accumulate_grad_batches": 2}
    fit(tmp_path / "run", callbacks=[PruneTrial(trial, (5, 10), cooldown=0.4)], **settings)
    for rung, cooldown in [(5, 2), (10, 4)]:
        expected = by_hand(tmp_path / str(rung), rung, cooldown, **settings)
        assert trial.reports[rung] == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_in_mode_max_the_metric_itself_is_reported(tmp_path):
    trial = Trial()
    prune = PruneTrial(trial, (20,), monitor="val_acc", mode="max")
    fit(tmp_path / "run", callbacks=[prune])
    expected = by_hand(tmp_path / "hand", 20, 4, name="val_acc")
    assert trial.reports == {20: pytest.approx(expected, abs=1e-6)}


class Ends(Net):
    """Draws and counts in the hooks around a batch."""

    def __init__(self):
        super().__init__()
        self.ends = 0

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.ends += 1
        self.log("ends", self.ends + torch.rand(1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "settings"),
    [(Net, {}), (Ends, {}), (Net, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.3})],
)
def test_the_run_is_not_changed_by_a_bit(make, settings, tmp_path):
    prune = PruneTrial(Trial(), (3, 6, 9))
    watched = fit(tmp_path / "watched", make, [prune], **settings)
    plain = fit(tmp_path / "plain", make, **settings)
    assert prune.probe_steps > 0
    assert differences(watched.left, plain.left) == []
    assert not watched.trainer.optimizers[0]._optimizer_step_pre_hooks


@pytest.mark.filterwarnings("ignore")
def test_a_run_with_its_own_scheduler_is_scored_and_not_changed(tmp_path):
    class Scheduled(Net):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 28)
            return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    trial = Trial()
    watched = fit(tmp_path / "watched", Scheduled, [PruneTrial(trial, (5, 20))])
    plain = fit(tmp_path / "plain", Scheduled)
    assert list(trial.reports) == [5, 20]
    assert differences(watched.left, plain.left) == []


@pytest.mark.filterwarnings("ignore")
def test_a_pruned_run_stops_at_its_rung(tmp_path):
    prune = PruneTrial(trial := Trial(prune_at=10), (5, 10, 20))
    run = fit(tmp_path, callbacks=[prune])
    assert list(trial.reports) == [5, 10]
    assert prune.pruned
    assert run.trainer.global_step == 10
    assert prune.run_steps == 28
    assert math.isfinite(prune.final["val_loss"])


@pytest.mark.filterwarnings("ignore")
def test_the_final_score_is_that_of_lightnings_validation(tmp_path):
    prune = PruneTrial(Trial(), ())
    run = fit(tmp_path, callbacks=[prune])
    assert not prune.pruned
    assert not prune.diverged
    run.trainer.validate(run.module, val_loader(), verbose=False)
    for name in ("val_loss", "val_acc"):
        theirs = float(run.trainer.callback_metrics[name])
        assert prune.final[name] == pytest.approx(theirs, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_rungs_of_another_horizon_are_reached_at_the_same_share(tmp_path):
    trial = Trial()
    fit(tmp_path / "run", callbacks=[PruneTrial(trial, (100, 200, 280, 400), horizon=280)])
    # 28 steps: 100 -> 10, 200 -> 20; the run's end and what lies beyond are no rungs
    assert list(trial.reports) == [100, 200]
    expected = by_hand(tmp_path / "hand", 10, 2)
    assert trial.reports[100] == pytest.approx(expected, rel=1e-5)


class Linear(pl.LightningModule):
    """Least squares by SGD: a rate above 2 diverges."""

    def __init__(self, lr):
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        self.lr = lr

    def training_step(self, batch, batch_idx):
        return self.layer.weight.square().sum() / 2 + 0 * batch[0].mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.mse_loss(self.layer.weight, torch.zeros(1, 1)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_diverges_is_stopped_and_says_so(tmp_path):
    prune = PruneTrial(trial := Trial(), (10, 30))
    run = fit(tmp_path, lambda: Linear(1e6), [prune], max_epochs=20)
    assert prune.diverged
    assert run.trainer.global_step < 140
    assert trial.reports[10] == math.inf  # of its copy
    assert not math.isfinite(prune.final["val_loss"])


@pytest.mark.filterwarnings("ignore")
def test_it_works_beside_a_search(tmp_path):
    trial = Trial()
    search = AutoLR(rates=(LR / 16, LR * 16), budget=3.0)
    fit(tmp_path, callbacks=[search, PruneTrial(trial, (25,))])
    assert search.result.probe_steps > 0
    assert math.isfinite(trial.reports[25])


def test_manual_optimization_is_refused(tmp_path):
    class Manual(Net):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

    with pytest.raises(UnsupportedError, match="PruneTrial needs automatic optimization"):
        fit(tmp_path, Manual, [PruneTrial(Trial(), (5,))])


@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_is_not_logged_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match="validation logs: val_acc, val_loss"):
        fit(tmp_path / "a", callbacks=[PruneTrial(Trial(), (5,), monitor="loss")])
    with pytest.raises(ConfigError, match="validation_step, and it or the data a val_dataloader"):
        fit(tmp_path / "b", callbacks=[PruneTrial(Trial(), (5,))], val=None)
    with pytest.raises(ConfigError, match="mode must be"):
        PruneTrial(Trial(), (5,), mode="best")
    assert len(train_loader()) == 7
