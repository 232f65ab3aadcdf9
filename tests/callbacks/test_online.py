"""AutoLR: what it refuses, what it survives, and how a run continues after it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
import math
import re

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint, StochasticWeightAveraging
from torch import nn
from torch.utils.data import DataLoader

import autolr
from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError, DivergedError, UnsupportedError
from autolr.online import Annealed, Check
from tests.callbacks.runs import (
    LR,
    RACE,
    TRAIN,
    Bare,
    Net,
    Stream,
    curve,
    differences,
    fit,
    train_loader,
    val_loader,
)
from tests.cases import only_with_slow

RATES = (2.0**-16, 2.0**-6)


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


class Quadratic(pl.LightningModule):
    """Loss w**2 / 2 by SGD: a rate of 1 solves it in a step, above 2 it diverges."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.layer.weight)

    def training_step(self, batch, batch_idx):
        return self.layer.weight.square().sum() / 2

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer.weight.square().sum() / 2)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


@pytest.mark.filterwarnings("ignore")
def test_a_live_run_that_diverges_is_replaced_by_a_finite_rival(tmp_path):
    class Far(Quadratic):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e4)

    callback = searcher(rates=(1e-2, 1e10))  # begins with 1e4
    run = fit(tmp_path, Far, [callback])
    assert callback.result.peak == 1e-2
    assert run.module.layer.weight.isfinite().all()
    again = FollowCandidate(callback.result.peak, callback.result.schedule)
    replayed = fit(tmp_path / "again", Far, [again])
    assert torch.equal(run.module.layer.weight, replayed.module.layer.weight)


@pytest.mark.filterwarnings("ignore")
def test_when_every_rate_diverges_one_line_says_what_to_do(tmp_path):
    with pytest.raises(DivergedError, match=r"rates=\(low, high\)") as diverged:
        fit(tmp_path, Quadratic, [searcher(rates=(1e8, 1e12))])
    assert "\n" not in str(diverged.value)


class Breaking(Quadratic):
    """Its loss is not a number at one step, nor its weight from then on."""

    broken_at = 20

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return loss * math.nan if self.global_step == self.broken_at else loss


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("broken_at", [21, *only_with_slow(30, 32, 33), 47])
def test_a_run_whose_loss_is_not_a_number_in_mid_run_recovers(broken_at, tmp_path):
    checks = tuple(Check(n / 70, n / 70) for n in range(36, 66, 6))
    watched = Annealed(candidates=3, checks=checks, budget=3.0)
    callback = AutoLR(watched, rates=(2.0**-7, 2.0**-3))
    make = type("At", (Breaking,), {"broken_at": broken_at})
    run = fit(tmp_path, make, [callback], max_epochs=10)
    (rollback,) = callback.result.rollbacks
    assert rollback.to < broken_at < rollback.step <= broken_at + 17
    assert 0 < abs(run.module.layer.weight.item()) < 1
    assert run.trainer.global_step == 70


@pytest.mark.filterwarnings("ignore")
def test_a_run_whose_rate_becomes_too_high_continues_at_half_of_it(tmp_path):
    class Steeper(Quadratic):
        """From step 28 on 1/8 is too high, and half of that is best."""

        def on_before_optimizer_step(self, optimizer):
            used.append(optimizer.param_groups[0]["lr"])

        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) * (20 if self.global_step >= 28 else 1)

    used = []
    checks = (Check(0.4, 0.4), Check(0.57, 0.57), Check(0.8, 0.8))
    watched = Annealed(candidates=3, checks=checks, budget=3.0)
    settings = {"rates": (2.0**-7, 2.0**-3), "schedule": schedules.constant()}
    callback = AutoLR(watched, **settings)
    fit(tmp_path, Steeper, [callback], max_epochs=10)
    assert [s.horizon for s in callback.result.scores if s.kept] == [20, 28, 40, 46, 56]
    assert callback.result.rollbacks == ()  # the lower rate mends it from where it is
    assert used[-54:] == [0.125] * 12 + [0.125, 0.0625, 0.0625] * 6 + [0.0625] * 24


@pytest.mark.filterwarnings("ignore")
def test_the_default_range_lies_around_the_customary_peak(tmp_path):
    callback = AutoLR(Annealed(budget=3.0))
    fit(tmp_path, callbacks=[callback])
    first = callback.result.probes[callback.result.probes.start == 0]
    around = [1e-3 * 4.0**n for n in range(-2, 3)]
    assert list(first.peak) == pytest.approx(sorted([*around, LR]), rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_in_mode_max_the_highest_accuracy_wins(tmp_path):
    callback = searcher(monitor="val_acc", mode="max")
    fit(tmp_path, callbacks=[callback])
    assert callback.result.peak == RATES[1]
    assert callback.result.probes.score.between(-1, 0).all()  # the sign is turned
    assert callback.result.probes.score.min() < -0.4


@pytest.mark.filterwarnings("ignore")
def test_the_second_of_two_loaders_can_be_monitored(tmp_path):
    class Two(Net):
        def validation_step(self, batch, batch_idx, dataloader_idx):
            self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    settings = {"val": [val_loader(), val_loader()], "best": None}
    with pytest.raises(ConfigError, match="val_loss/dataloader_idx_0, val_loss/dataloader_idx_1"):
        fit(tmp_path / "a", Two, [searcher()], **settings)
    callback = searcher(monitor="val_loss/dataloader_idx_1")
    fit(tmp_path / "b", Two, [callback], **settings)
    assert callback.result.peak == RATES[1]


@pytest.mark.filterwarnings("ignore")
def test_validation_that_begins_in_a_later_epoch_scores_the_probes(tmp_path):
    callback = searcher()
    fit(tmp_path, callbacks=[callback], check_val_every_n_epoch=4, num_sanity_val_steps=0)
    assert len(callback.result.scores) == 4
    assert callback.result.validation_passes == 1 + 4  # and one of the untrained weights


@pytest.mark.filterwarnings("ignore")
def test_a_run_too_short_keeps_the_prior_peak_and_says_so_in_one_line(
    tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    callback = AutoLR(rates=(0.01, 0.04))
    with caplog.at_level(logging.INFO, logger="lightning.pytorch"):
        fit(tmp_path, callbacks=[callback], max_epochs=-1, max_steps=10)
    lines = [m for m in caplog.messages if m.startswith("AutoLR")]
    assert lines == [
        "AutoLR: 10 steps are too few to search: the run keeps a peak of 0.02 and no schedule"
    ]
    assert callback.result.peak == pytest.approx(0.02, rel=1e-12)
    assert callback.result.probe_steps == 0


@pytest.mark.filterwarnings("ignore")
def test_the_end_of_a_search_is_logged_in_one_line(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    callback = searcher()
    with caplog.at_level(logging.INFO, logger="lightning.pytorch"):
        fit(tmp_path, callbacks=[callback])
    (line,) = [m for m in caplog.messages if m.startswith("AutoLR")]
    assert callback.result.probe_steps == 3 * 14
    assert line == "AutoLR: peak 0.0156 after 4 probes, 42 steps beside the run's 28"


@pytest.mark.filterwarnings("ignore")
def test_the_result_is_there_after_the_search_and_saved_after_the_fit(tmp_path):
    callback = searcher(save_to=tmp_path / "found")
    with pytest.raises(AttributeError, match="before the search has ended"):
        _ = callback.result
    fit(tmp_path, callbacks=[callback])
    assert autolr.load_result(tmp_path / "found") == callback.result
    assert len((tmp_path / "found" / "probes.csv").read_text().splitlines()) == 1 + 4


@pytest.mark.filterwarnings("ignore")
def test_a_callback_searches_anew_in_a_new_run(tmp_path):
    callback = searcher()
    fit(tmp_path / "a", callbacks=[callback], max_epochs=3)
    first = callback.result
    fit(tmp_path / "b", callbacks=[callback], max_epochs=4)
    assert first.total_steps == 21
    assert callback.result.total_steps == 28


@pytest.mark.filterwarnings("ignore")
def test_the_optimizer_is_left_with_the_rate_of_its_last_step_and_no_hooks(tmp_path):
    run = fit(tmp_path, callbacks=[searcher()])
    (optimizer,) = run.trainer.optimizers
    last = optimizer.param_groups[0]["lr"]
    assert last == curve(tmp_path, "autolr/rate")[27]
    assert type(last) is float
    assert not optimizer._optimizer_state_dict_post_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


@pytest.mark.filterwarnings("ignore")
def test_an_exception_in_training_leaves_the_rate_of_the_step_and_no_hooks(tmp_path):
    class Broken(Net):
        def on_before_optimizer_step(self, optimizer):
            if self.global_step == 3:
                made.append((optimizer, optimizer.param_groups[0]["lr"]))
                raise ZeroDivisionError

    made = []
    with pytest.raises(ZeroDivisionError):
        fit(tmp_path, Broken, [searcher()])
    ((optimizer, rate),) = made
    assert optimizer.param_groups[0]["lr"] == rate
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_default_length_is_warned_of(tmp_path):
    class Stops(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = True

    with pytest.warns(UserWarning, match=r"max_epochs=1000, 7000 steps; that is Lightning's") as w:
        fit(tmp_path, callbacks=[AutoLR(), Stops()], max_epochs=None)
    assert all("\n" not in str(warning.message) for warning in w)


def test_a_run_whose_length_is_set_is_not_warned_of(tmp_path, recwarn):
    fit(tmp_path / "a", callbacks=[AutoLR()], max_epochs=1)
    fit(tmp_path / "b", callbacks=[AutoLR()], max_epochs=None, max_steps=3)
    assert not [w for w in recwarn if "AutoLR" in str(w.message)]


# --- refused, before the first training step


class NoOptimizer(Net):
    def configure_optimizers(self):
        return None


class Scheduled(Net):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 3)]


class ZeroRate(Net):
    def __init__(self):
        super().__init__(lr=0.0)


class Iterating(Net):
    def training_step(self, dataloader_iter):
        return super().training_step(next(dataloader_iter)[0], 0)


REFUSED = {
    "no optimizer": (NoOptimizer, "no optimizer with a rate: return one", UnsupportedError, {}),
    "averaging": (
        Net,
        "swa_epoch_start must be at least the second epoch: AutoLR searches before it, got 1",
        ConfigError,
        {"add": lambda: StochasticWeightAveraging(0.1, swa_epoch_start=1)},
    ),
    "no end": (
        Net,
        "needs a run with an end: set max_steps or max_epochs",
        UnsupportedError,
        {"max_epochs": -1, "max_time": "00:00:00:05"},
    ),
    "epochs of data without a length": (
        Net,
        "needs a run with an end, and the training data has no length: set max_steps",
        UnsupportedError,
        {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": 4},
    ),
    "data without a length for ever": (
        Net,
        "and the training data has no length: set max_steps",
        UnsupportedError,
        {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": -1},
    ),
    "iterators": (Iterating, r"training_step\(dataloader_iter\)", UnsupportedError, {}),
    "no rate": (ZeroRate, "the optimizer's lr must be a positive number", ConfigError, {}),
    "monitor": (
        Net,
        "monitor must be a metric that validation logs: val_acc, val_loss, got 'loss'",
        ConfigError,
        {"monitor": "loss"},
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "message", "error", "settings"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_supported_is_refused_before_the_first_step(
    make, message, error, settings, tmp_path
):
    class Watched(make):
        def training_step(self, *args):
            trained.append(args)
            return super().training_step(*args)

    if make is Iterating:  # recognized by its signature
        Watched = make
    trained, settings = [], dict(settings)
    monitor = settings.pop("monitor", "val_loss")
    added = [settings.pop("add")()] if "add" in settings else []
    with pytest.raises(error, match=message) as refused:
        fit(tmp_path, Watched, [AutoLR(RACE, monitor=monitor), *added], **settings)
    assert "\n" not in str(refused.value)
    assert trained == []


@pytest.mark.filterwarnings("ignore")
def test_two_optimizers_without_manual_optimization_are_refused_by_lightning_itself(tmp_path):
    class Two(Net):
        def configure_optimizers(self):
            return [torch.optim.SGD(p.parameters(), lr=0.1) for p in (self.body, self.head)]

    with pytest.raises(RuntimeError, match="multiple optimizers is only supported with manual"):
        fit(tmp_path, Two, [AutoLR()])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "best"),
        ("mode", ""),
        ("rates", (1.0, 0.1)),
        ("rates", (0.0, 0.1)),
        ("rates", 0.1),
        ("rates", ("a", "b")),
        ("strategy", "guess"),
        ("schedule", "no_such_profile"),
        ("schedule", {"kind": "cosine", "colour": 1}),
        ("schedule", 3),
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused_when_it_is_made(name, value):
    with pytest.raises(ConfigError) as refused:
        AutoLR(**{name: value})
    assert "\n" not in str(refused.value)
    assert re.search(f"{name}|no_such_profile|colour", str(refused.value))


# --- checkpoints


def kept(folder):
    return ModelCheckpoint(folder, "{epoch}", save_top_k=-1)


def checkpoints(folder):
    return {int(path.stem.split("=")[1]): path for path in folder.glob("epoch=*.ckpt")}


@pytest.mark.filterwarnings("ignore")
def test_a_run_cut_after_the_search_continues_with_its_peak_bit_for_bit(tmp_path):
    loader = {"train": train_loader(shuffle=False)}  # Lightning stores no generators
    callback = searcher()
    whole = fit(tmp_path, Bare, [callback, kept(tmp_path / "ckpt")], **loader)
    assert callback.result.probes.horizon.max() == 14
    path = checkpoints(tmp_path / "ckpt")[2]  # the search ended with the second epoch of four
    stored = torch.load(path, weights_only=True)
    (ours,) = (v for k, v in stored["callbacks"].items() if k.startswith("AutoLR"))
    assert ours["result"]["peak"] == callback.result.peak
    resumed = searcher()
    rest = fit(tmp_path / "rest", Bare, [resumed], ckpt_path=path, **loader)
    assert resumed.result == callback.result
    assert rest.left["global_step"] == 28
    for name in ("weights and buffers", "optimizer"):
        assert differences(whole.left[name], rest.left[name]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_holds_the_rate_that_is_applied(tmp_path):
    run = fit(tmp_path, callbacks=[searcher()])
    (state,) = run.left["checkpoint"]["optimizer_states"]
    last = curve(tmp_path, "autolr/rate")[27]
    assert [group["lr"] for group in state["param_groups"]] == [last]


# --- a peak that is known


@pytest.mark.filterwarnings("ignore")
def test_following_a_candidate_sets_each_steps_rate(tmp_path):
    class Rates(Net):
        def on_before_optimizer_step(self, optimizer):
            used.append([group["lr"] for group in optimizer.param_groups])

        def configure_optimizers(self):
            groups = [{"params": self.body.parameters()}, {"params": self.head.parameters()}]
            groups[0]["lr"] = LR / 4
            return torch.optim.AdamW(groups, lr=LR)

    used = []
    schedule = schedules.warmup(4) | schedules.cosine()
    run = fit(tmp_path, Rates, [FollowCandidate(0.03, schedule)], accumulate_grad_batches=2)
    expected = [0.03 * schedule.at(step, 16) for step in range(16)]
    # a product and a quotient by a power of two: rounded once
    assert [high for _, high in used] == pytest.approx(expected, rel=1e-15)
    assert [low for low, _ in used] == pytest.approx([rate / 4 for rate in expected], rel=1e-15)
    (optimizer,) = run.trainer.optimizers
    assert [group["lr"] for group in optimizer.param_groups] == used[-1]
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.filterwarnings("ignore")
def test_following_a_candidate_at_the_users_own_rate_changes_no_bit(tmp_path):
    follow = FollowCandidate(LR, schedules.constant())
    followed = fit(tmp_path / "a", callbacks=[follow])
    assert differences(followed.left, fit(tmp_path / "b").left) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "message", "settings"),
    [
        (Scheduled, "FollowCandidate sets the rate, and so does the module's StepLR", {}),
        (Net, "needs a run with an end", {"max_epochs": -1, "max_time": "00:00:00:05"}),
    ],
)
def test_following_refuses_what_it_cannot_set(make, message, settings, tmp_path):
    with pytest.raises(UnsupportedError, match=message) as refused:
        fit(tmp_path, make, [FollowCandidate(0.1, "cosine")], **settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("peak", [0, -1.0, math.inf, math.nan, True, "0.1", None])
def test_a_peak_that_is_no_rate_is_refused(peak):
    with pytest.raises(ConfigError, match="peak must be a positive number"):
        FollowCandidate(peak, "cosine")
