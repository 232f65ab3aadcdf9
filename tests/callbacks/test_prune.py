"""Scores at rungs: those of weights averaged by hand, at no cost to the run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import math
from collections import deque

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import update_bn

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.errors import ConfigError
from autolr.online import Annealed
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, VAL, Net, differences, fit, train_loader, val_loader


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


class Averages(pl.Callback):
    """Keeps the weights after each optimizer step, and the batches that came before it."""

    def __init__(self):
        self.weights, self.batches = {}, {}
        self.recent = deque(maxlen=8)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.recent.append(batch)

    def on_train_batch_end(self, trainer, pl_module, *_):
        if trainer.global_step not in self.weights:
            self.weights[trainer.global_step] = copy.deepcopy(pl_module.state_dict())
            self.batches[trainer.global_step] = list(self.recent)

    def model(self, steps):
        """Return the model with the mean weights of some steps, its statistics made anew."""
        kept = [self.weights[step] for step in steps]
        mean = {name: torch.stack([k[name].double() for k in kept]).mean(0) for name in kept[0]}
        model = Net()
        model.load_state_dict(mean)
        update_bn(self.batches[steps[-1]], model)
        return model.eval()

    def loss(self, steps):
        """Return the validation loss of that model, in plain torch."""
        images, labels = VAL.tensors
        with torch.no_grad():
            return float(F.cross_entropy(self.model(steps)(images), labels))


def by_hand(folder, callbacks=(), **settings):
    averages = Averages()
    fit(folder, callbacks=[*callbacks, averages], **settings)
    return averages


@pytest.mark.filterwarnings("ignore")
def test_what_is_reported_is_the_score_of_weights_averaged_by_hand(tmp_path):
    trial = Trial()
    prune = PruneTrial(trial, (1, 2, 10, 11, 20), window=0.3)
    fit(tmp_path / "run", callbacks=[prune])
    assert list(trial.reports) == [1, 2, 10, 11, 20]
    hand = by_hand(tmp_path / "hand")
    # 0.3 of each rung, at least 2 and at most what lies between it and the rung before
    for rung, window in [(1, 1), (2, 1), (10, 3), (11, 1), (20, 6)]:
        expected = hand.loss(range(rung - window + 1, rung + 1))
        assert trial.reports[rung] == pytest.approx(expected, rel=1e-5), rung


@pytest.mark.filterwarnings("ignore")
def test_the_average_is_of_the_candidates_own_run(tmp_path):
    schedule, trial = schedules.warmup(0.2) | schedules.cosine(), Trial()
    follow = FollowCandidate(2 * LR, schedule)
    fit(tmp_path / "run", callbacks=[follow, PruneTrial(trial, (10,), window=0.3)])
    hand = by_hand(tmp_path / "hand", [FollowCandidate(2 * LR, schedule)])
    assert trial.reports == {10: pytest.approx(hand.loss([8, 9, 10]), rel=1e-5)}


@pytest.mark.filterwarnings("ignore")
def test_the_average_counts_optimizer_steps_not_batches(tmp_path):
    trial = Trial()
    settings = {"accumulate_grad_batches": 2}
    fit(tmp_path / "run", callbacks=[PruneTrial(trial, (5, 10), window=0.4)], **settings)
    hand = by_hand(tmp_path / "hand", **settings)
    for rung, steps in [(5, [4, 5]), (10, [7, 8, 9, 10])]:
        assert trial.reports[rung] == pytest.approx(hand.loss(steps), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_in_mode_max_the_metric_itself_is_reported(tmp_path):
    trial = Trial()
    prune = PruneTrial(trial, (20,), monitor="val_acc", mode="max", window=0.2)
    fit(tmp_path / "run", callbacks=[prune])
    metric, (pixels, labels) = Net().val_acc, VAL.tensors  # by class, as Net logs it
    with torch.no_grad():
        logits = by_hand(tmp_path / "hand").model(range(17, 21))(pixels)
    assert trial.reports == {20: pytest.approx(float(metric(logits, labels)), abs=1e-6)}


@pytest.mark.filterwarnings("ignore")
def test_rungs_may_follow_each_other_closely_in_a_long_run(tmp_path):
    trial = Trial()
    fit(tmp_path, callbacks=[PruneTrial(trial, (70, 71), window=0.9)], max_epochs=11)
    assert all(map(math.isfinite, trial.reports.values()))
    assert list(trial.reports) == [70, 71]


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
    [
        pytest.param(Net, {}, marks=pytest.mark.slow),
        pytest.param(Ends, {}, marks=pytest.mark.slow),
        (Net, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.3}),
    ],
)
def test_the_run_is_not_changed_by_a_bit(make, settings, tmp_path):
    prune = PruneTrial(trial := Trial(), (3, 6, 9))
    watched = fit(tmp_path / "watched", make, [prune], **settings)
    plain = fit(tmp_path / "plain", make, **settings)
    assert list(trial.reports) == [3, 6, 9]
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


class Halved(pl.Callback):
    """Validates other weights than those that are trained, as averages of weights do."""

    def on_validation_start(self, trainer, pl_module):
        self.own = copy.deepcopy(pl_module.state_dict())
        for parameter in pl_module.parameters():
            parameter.data.mul_(0.5)

    def on_validation_end(self, trainer, pl_module):
        pl_module.load_state_dict(self.own)


@pytest.mark.filterwarnings("ignore")
def test_the_final_score_is_that_of_the_weights_that_the_trainer_validates(tmp_path):
    prune = PruneTrial(Trial(), ())
    run = fit(tmp_path, callbacks=[prune, Halved()])
    theirs = run.trainer.callback_metrics
    assert prune.final == {name: float(theirs[name]) for name in ("val_loss", "val_acc")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_rungs_of_another_horizon_are_reached_at_the_same_share(tmp_path):
    trial = Trial()
    fit(tmp_path / "run", callbacks=[PruneTrial(trial, (100, 200, 280, 400), horizon=280)])
    # 28 steps: 100 -> 10, 200 -> 20; the run's end and what lies beyond are no rungs
    assert list(trial.reports) == [100, 200]
    expected = by_hand(tmp_path / "hand").loss([9, 10])  # 0.2 of 10 steps
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
    assert trial.reports[10] == math.inf
    assert not math.isfinite(prune.final["val_loss"])


@pytest.mark.filterwarnings("ignore")
def test_it_works_beside_a_search(tmp_path):
    trial = Trial()
    search = AutoLR(Annealed(budget=3.0), rates=(LR / 16, LR * 16))
    fit(tmp_path, callbacks=[search, PruneTrial(trial, (25,))])
    assert search.result.probe_steps > 0
    assert math.isfinite(trial.reports[25])


@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_is_not_logged_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match="validation logs: val_acc, val_loss"):
        fit(tmp_path / "a", callbacks=[PruneTrial(Trial(), (5,), monitor="loss")])
    with pytest.raises(ConfigError, match="validation_step, and it or the data a val_dataloader"):
        fit(tmp_path / "b", callbacks=[PruneTrial(Trial(), (5,))], val=None)
    with pytest.raises(ConfigError, match="mode must be"):
        PruneTrial(Trial(), (5,), mode="best")
    assert len(train_loader()) == 7
