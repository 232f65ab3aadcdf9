"""A module's own scheduler keeps its shape, whatever it writes; its peak is searched for."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

import autolr
from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check
from tests.callbacks.own_schedulers import (
    ONLY,
    RATES,
    STEPS,
    Scheduled,
    one_cycle,
    per_step,
    scheduled,
    searcher,
)
from tests.callbacks.runs import LR, TRAIN, Bare, Net, curve, differences, fit

LIVE_FIRST = 2.0**-11


class Momentum(Scheduled):
    def make_optimizer(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)


class Groups(Scheduled):
    def make_optimizer(self):
        groups = [{"params": self.body.parameters(), "lr": self.hparams.lr / 4}]
        groups += [{"params": self.head.parameters()}]
        return torch.optim.AdamW(groups, lr=self.hparams.lr)


class TensorRate(Scheduled):
    def make_optimizer(self):
        return torch.optim.AdamW(self.parameters(), lr=torch.tensor(self.hparams.lr), foreach=False)


def warmed_up(step):
    return min(step / 4, 1.0) * (1 - step / STEPS)


def climbing(step):
    return min((step + 1) / 4, 1.0)


def sequential(optimizer, peak):
    rising = lr_scheduler.LinearLR(optimizer, 0.125, total_iters=4)
    falling = lr_scheduler.CosineAnnealingLR(optimizer, STEPS - 4)
    return per_step(lr_scheduler.SequentialLR(optimizer, [rising, falling], milestones=[4]))


def warm_then_plateau(optimizer, peak):
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.25)
    warm = lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3)
    return [{"scheduler": plateau, "monitor": "val_loss"}, per_step(warm)]


def chained(optimizer, peak):
    parts = [lr_scheduler.ExponentialLR(optimizer, 0.95), lr_scheduler.LinearLR(optimizer, 0.5)]
    return per_step(lr_scheduler.ChainedScheduler(parts))


class OwnStep(Scheduled):
    """Steps the scheduler itself, and halves what it gives at step 9."""

    def lr_scheduler_step(self, scheduler, metric):
        scheduler.step()
        if self.global_step == 9:
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = 0.5 * group["lr"]


SCHEDULERS = {
    "LambdaLR from zero": scheduled(lambda o, _: per_step(lr_scheduler.LambdaLR(o, warmed_up))),
    "OneCycleLR, which writes betas": scheduled(one_cycle),
    "OneCycleLR, which writes momentum": scheduled(one_cycle, Momentum),
    "OneCycleLR on a tensor": scheduled(one_cycle, TensorRate),
    "CosineAnnealingLR by epoch": scheduled(lambda o, _: lr_scheduler.CosineAnnealingLR(o, 4)),
    "ExponentialLR, which is recursive": scheduled(
        lambda o, _: per_step(lr_scheduler.ExponentialLR(o, 0.9))
    ),
    "StepLR at every second step": scheduled(
        lambda o, _: per_step(lr_scheduler.StepLR(o, 2, 0.5), frequency=2)
    ),
    "SequentialLR": scheduled(sequential),
    "CyclicLR": scheduled(
        lambda o, peak: per_step(lr_scheduler.CyclicLR(o, peak / 4, peak, 5)), Momentum
    ),
    "several groups": scheduled(
        lambda o, _: per_step(lr_scheduler.LambdaLR(o, [warmed_up, climbing])), Groups
    ),
    "LinearLR and ReduceLROnPlateau": scheduled(warm_then_plateau),
    "MultiplicativeLR": scheduled(
        lambda o, _: per_step(lr_scheduler.MultiplicativeLR(o, lambda step: 0.9))
    ),
    "CosineAnnealingLR to a floor": scheduled(
        lambda o, peak: per_step(lr_scheduler.CosineAnnealingLR(o, 20, eta_min=peak / 8))
    ),
    "ChainedScheduler": scheduled(chained),
    "a step of the module's own": scheduled(
        lambda o, _: per_step(lr_scheduler.ExponentialLR(o, 0.9)), OwnStep
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_a_search_with_the_modules_own_peak_only_changes_no_bit(make, tmp_path):
    callback = AutoLR(rates=ONLY)
    searched = fit(tmp_path / "searched", make, [callback])
    assert len(callback.result.scores) == 1
    assert callback.result.factor == 1
    assert differences(searched.left, fit(tmp_path / "plain", make).left) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_the_run_ends_as_one_whose_module_has_its_rates_times_the_factor(make, tmp_path):
    callback = searcher(save_to=tmp_path / "found")
    searched = fit(tmp_path / "searched", make, [callback])
    result = autolr.load_result(tmp_path / "found")
    assert result == callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])  # so a rival took the run's place
    assert result.own_peak == LR
    replayed = fit(tmp_path / "replayed", lambda: make(LR * result.factor))
    states = [
        {"weights": run.left["weights and buffers"], "state": run.left["optimizer"]["state"]}
        for run in (searched, replayed)
    ]
    assert differences(*states) == []  # the factor is a power of two: products are exact


WATCHED = Annealed(
    candidates=3,
    race=0.2,
    checks=(
        Check(0.2, 0.45, factors=(0.5, 2.0), refines=True),
        Check(0.5, 0.8, factors=(0.5, 2.0)),
    ),
    budget=3.0,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["OneCycleLR, which writes betas", "CosineAnnealingLR to a floor"])
def test_a_rate_that_was_changed_on_the_way_is_replayed_beside_the_scheduler(name, tmp_path):
    class Slower(SCHEDULERS[name]):
        """Its score is best at a high rate in the race, and at a low one later."""

        def __init__(self, *args):
            super().__init__(*args)
            self.register_buffer("rate", torch.zeros(()))

        def on_before_optimizer_step(self, optimizer):
            super().on_before_optimizer_step(optimizer)
            self.rate.fill_(optimizer.param_groups[0]["lr"])

        def validation_step(self, batch, batch_idx):
            early = self.global_step < 18
            self.log("val_loss", 10 - 100 * self.rate if early else 5 + 1000 * self.rate)

    make, callback = Slower, searcher(strategy=WATCHED)
    searched = fit(tmp_path / "searched", make, [callback])
    result = callback.result
    assert result.schedule != schedules.constant()
    assert not result.rollbacks
    follower = FollowCandidate(result.peak, result.schedule, own_peak=result.own_peak)
    replayed = fit(tmp_path / "replayed", make, [follower])
    kept = "weights and buffers"
    assert differences(searched.left[kept], replayed.left[kept]) == []
    rates = curve(tmp_path / "replayed", "autolr/rate")
    assert result.highest_rate == max(rates.values())
    assert result.highest_rate != pytest.approx(result.peak, rel=0.1)


@pytest.mark.filterwarnings("ignore")
def test_an_own_peak_is_refused_without_a_scheduler_and_a_scheduler_without_it(tmp_path):
    with pytest.raises(UnsupportedError, match="this module has none: leave out own_peak"):
        fit(tmp_path, Net, [FollowCandidate(0.1, "linear", own_peak=0.2)])
    make = SCHEDULERS["ExponentialLR, which is recursive"]
    with pytest.raises(UnsupportedError, match="so does the module's ExponentialLR"):
        fit(tmp_path, make, [FollowCandidate(0.1, "linear")])
    with pytest.raises(ConfigError, match="own_peak must be a positive number, got 0"):
        FollowCandidate(0.1, "linear", own_peak=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_race_beside_a_scheduler_that_starts_at_its_peak_is_as_without_one(tmp_path):
    ends = []
    for make in (Net, scheduled(lambda o, _: lr_scheduler.StepLR(o, 3))):
        schedule = "constant" if make is Net else None
        callback = AutoLR(Annealed(candidates=3, budget=3.0), schedule, rates=RATES)
        fit(tmp_path / str(len(ends)), make, [callback], max_epochs=10)
        ends.append(callback.result.probes.horizon.min())
    assert ends[0] == ends[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_with_any_own_peak_the_replay_is_equal_up_to_rounding(tmp_path):
    make = SCHEDULERS["OneCycleLR, which writes betas"]
    callback = searcher()
    searched = fit(tmp_path / "searched", lambda: make(0.0123), [callback])
    assert callback.result.own_peak == 0.0123
    replayed = fit(tmp_path / "replayed", lambda: make(0.0123 * callback.result.factor))
    for name, ours in searched.module.state_dict().items():
        # rates differ by 1e-16 of themselves, float32 weights by 1e-7 a step, 28 steps
        assert torch.allclose(ours, replayed.module.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_with_accumulated_gradients_and_epochs_too(tmp_path):
    settings = {"accumulate_grad_batches": 3, "max_epochs": 10}

    def both(optimizer, _):
        steps = per_step(lr_scheduler.ExponentialLR(optimizer, 0.95))
        return [steps, lr_scheduler.StepLR(optimizer, 3, 0.5)]

    make = scheduled(both)
    callback = searcher()
    searched = fit(tmp_path / "searched", make, [callback], **settings)
    assert callback.result.peak != LIVE_FIRST
    replayed = fit(tmp_path / "replayed", lambda: make(LR * callback.result.factor), **settings)
    kept = "weights and buffers"
    assert differences(searched.left[kept], replayed.left[kept]) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_plateau_forgets_the_run_that_a_rival_replaced(tmp_path):
    def highest_loss(optimizer, _):
        plateau = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max")
        return {"scheduler": plateau, "monitor": "val_loss"}

    callback = searcher()
    run = fit(tmp_path, scheduled(highest_loss), [callback], max_epochs=3)
    assert callback.result.probes.horizon.max() == 10  # in the second epoch of three
    assert callback.result.peak != LIVE_FIRST
    (config,) = run.trainer.lr_scheduler_configs
    seen = [float(row["val_loss"]) for row in run.left["metrics.csv"] if row["val_loss"]]
    assert config.scheduler.best == pytest.approx(max(seen[1:]), rel=1e-6) != max(seen)


@pytest.mark.filterwarnings("ignore")
def test_a_cut_run_continues_with_its_own_scheduler_bit_for_bit(tmp_path):
    class Cosine(Bare):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            return [optimizer], [per_step(lr_scheduler.CosineAnnealingLR(optimizer, STEPS))]

    loader = {"train": DataLoader(TRAIN, 16)}
    kept = ModelCheckpoint(tmp_path / "ckpt", "{epoch}", save_top_k=-1)
    whole = fit(tmp_path, Cosine, [searcher(), kept], **loader)
    path = tmp_path / "ckpt" / "epoch=2.ckpt"
    resumed = searcher()
    rest = fit(tmp_path / "rest", Cosine, [resumed], ckpt_path=path, **loader)
    assert resumed.result.own_peak == LR
    assert resumed.result.peak != LR
    for name in ("weights and buffers", "optimizer"):
        assert differences(whole.left[name], rest.left[name]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_schedule_beside_a_scheduler_is_refused_and_says_which_to_drop(tmp_path):
    make = SCHEDULERS["OneCycleLR, which writes betas"]
    with pytest.raises(
        ConfigError, match="leave out schedule= to keep the shape of OneCycleLR"
    ) as e:
        fit(tmp_path, make, [AutoLR(schedule="cosine")])
    assert "return only the optimizer from configure_optimizers" in str(e.value)
    assert "\n" not in str(e.value)
