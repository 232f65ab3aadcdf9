"""The rate that is applied stands in the optimizer's groups: everything reads the same one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import warnings

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from autolr import schedules
from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.errors import UnsupportedError
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, RACE, TRAIN, Bare, Net, curve, differences, fit
from tests.cases import with_slow

RATES = (2.0**-16, 2.0**-6)
FALLING = schedules.warmup(4) | schedules.cosine()


class SpyAdamW(torch.optim.AdamW):
    """Notes the rates and the momentum with which the weights move."""

    used: list[tuple[float, ...]]

    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        self.used.append(tuple(g["lr"] for g in self.param_groups))
        self.momentum = self.param_groups[0]["betas"][0]
        super().step()
        return loss


class Groups(Bare):
    """Two groups; logs its own rate; ``scheduler`` makes its schedulers."""

    scheduler = None

    def training_step(self, batch, batch_idx):
        self.log("my_rate", self.optimizers().param_groups[1]["lr"])
        return super().training_step(batch, batch_idx)

    def configure_optimizers(self):
        groups = [{"params": self.body.parameters(), "lr": LR / 4}]
        groups += [{"params": self.head.parameters()}]
        optimizer = SpyAdamW(groups, lr=LR)
        optimizer.used = []
        if type(self).scheduler is None:
            return optimizer
        made = type(self).scheduler(optimizer)
        return [optimizer], [{"scheduler": made, "interval": "step"}]


class Live(pl.Callback):
    """Keeps what the live run stepped with: rivals step on the same optimizer after it."""

    def __init__(self):
        self.used, self.momenta = [], []

    def on_train_batch_end(self, trainer, pl_module, *_):
        (optimizer,) = trainer.optimizers
        self.used.append(optimizer.used[-1])
        self.momenta.append(optimizer.momentum)


def one_cycle(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, [LR / 4, LR], total_steps=28)


HOW = {
    "a search": (lambda: [AutoLR(RACE, rates=RATES)], None),
    "a search beside a scheduler": (lambda: [AutoLR(RACE, rates=RATES)], one_cycle),
    "a search beside a recursive scheduler": (
        lambda: [AutoLR(RACE, rates=(2 * LR, 8 * LR))],
        lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    ),
    "a candidate": (lambda: [FollowCandidate(0.02, FALLING)], None),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", [True, False], ids=["monitor first", "monitor last"])
@pytest.mark.parametrize("how", HOW)
def test_the_monitor_the_module_and_our_loggers_see_the_rate_of_each_step(how, first, tmp_path):
    make, scheduler = HOW[how]
    ours, monitor = make(), LearningRateMonitor("step", log_momentum=True)
    live = Live()
    callbacks = [live, monitor, *ours] if first else [live, *ours, monitor]
    module = type("Own", (Groups,), {"scheduler": staticmethod(scheduler) if scheduler else None})
    fit(tmp_path, module, callbacks)
    low, high = zip(*live.used, strict=True)
    assert list(curve(tmp_path, "lr-SpyAdamW/pg1").values()) == pytest.approx(low, rel=1e-12)
    assert list(curve(tmp_path, "lr-SpyAdamW/pg2").values()) == pytest.approx(high, rel=1e-12)
    assert list(curve(tmp_path, "autolr/rate").values()) == pytest.approx(high, rel=1e-12)
    momenta = curve(tmp_path, "lr-SpyAdamW/pg1-momentum")
    assert list(momenta.values()) == pytest.approx(live.momenta, rel=1e-12)
    # a module's log is a float32 tensor
    assert list(curve(tmp_path, "my_rate").values()) == pytest.approx(high, rel=1e-6)
    assert max(high) != pytest.approx(LR, rel=0.1)


@pytest.mark.filterwarnings("ignore")
def test_the_monitor_by_epoch_sees_the_rate_of_the_epochs_first_step(tmp_path):
    live = Live()
    fit(tmp_path, Groups, [live, LearningRateMonitor("epoch"), FollowCandidate(0.02, FALLING)])
    seen = list(curve(tmp_path, "lr-SpyAdamW/pg2").values())
    assert seen == pytest.approx([live.used[step][1] for step in (0, 7, 14, 21)], rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_the_monitor_sees_the_rates_of_a_rules_optimizer(tmp_path):
    ours = [ApplyRule("dog"), FollowCandidate(0.5, "linear")]
    fit(tmp_path, Bare, [LearningRateMonitor("step"), *ours])
    expected = [0.5 * schedules.linear().at(step, 28) for step in range(28)]
    assert list(curve(tmp_path, "lr-RuleOptimizer").values()) == pytest.approx(expected, rel=1e-12)


# --- checkpoints


def kept(folder):
    return ModelCheckpoint(folder, "{epoch}", save_top_k=-1)


class Onwards(pl.Callback):
    def on_train_batch_start(self, trainer, *_):
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]
        trainer.should_stop = True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [lambda: AutoLR(RACE, rates=RATES), lambda: FollowCandidate(0.02, FALLING)],
    ids=["a search", "a candidate"],
)
def test_a_checkpoint_has_the_rate_of_its_next_step_and_a_resume_without_us_uses_it(make, tmp_path):
    fit(tmp_path, Bare, [make(), kept(tmp_path / "ckpt")])
    path = tmp_path / "ckpt" / "epoch=1.ckpt"
    (state,) = torch.load(path, weights_only=True)["optimizer_states"]
    rate = state["param_groups"][0]["lr"]
    assert rate == pytest.approx(curve(tmp_path, "autolr/rate")[14], rel=1e-12)
    assert rate != pytest.approx(LR, rel=0.1)
    onwards = Onwards()
    fit(tmp_path / "rest", Bare, [onwards], ckpt_path=path)
    assert onwards.rate == rate


RECURSIVE = {
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=20),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 28, eta_min=LR / 8),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RECURSIVE)
@pytest.mark.parametrize("epoch", [0, 2], ids=["in the search", "after it"])
def test_a_resume_gives_the_scheduler_its_own_rate_back(epoch, name, tmp_path):
    class Own(Bare):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            made = RECURSIVE[name](optimizer)
            return [optimizer], [{"scheduler": made, "interval": "step"}]

    loader = {"train": DataLoader(TRAIN, 16)}
    whole = fit(tmp_path, Own, [AutoLR(RACE, rates=RATES), kept(tmp_path / "c")], **loader)
    path = tmp_path / "c" / f"epoch={epoch}.ckpt"
    resumed = AutoLR(RACE, rates=RATES)
    rest = fit(tmp_path / "rest", Own, [resumed], ckpt_path=path, **loader)
    assert resumed.result.factor != 1
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_candidate_is_followed_as_in_the_whole_run(tmp_path):
    loader = {"train": DataLoader(TRAIN, 16)}
    ours = [FollowCandidate(0.02, FALLING), kept(tmp_path / "c")]
    whole = fit(tmp_path, Bare, ours, **loader)
    path = tmp_path / "c" / "epoch=1.ckpt"
    again = [FollowCandidate(0.02, FALLING)]
    rest = fit(tmp_path / "rest", Bare, again, ckpt_path=path, **loader)
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_module_may_keep_the_rate_that_it_reads(tmp_path):
    class Keeps(Bare):
        def training_step(self, batch, batch_idx):
            self.hparams.rate = self.optimizers().param_groups[0]["lr"]
            return super().training_step(batch, batch_idx)

    fit(tmp_path, Keeps, [FollowCandidate(0.02, FALLING), kept(tmp_path / "c")])
    stored = torch.load(tmp_path / "c" / "epoch=1.ckpt", weights_only=True)
    kept_rate = stored["hyper_parameters"]["rate"]
    assert kept_rate == pytest.approx(curve(tmp_path, "autolr/rate")[13], rel=1e-12)


# --- rates that other code writes


def write(optimizer, rate=LR):
    for group in optimizer.param_groups:
        group["lr"] = rate


class Writer(Groups):
    """Writes its rate at one place of a step."""

    where = "nowhere"

    def on_train_batch_start(self, batch, batch_idx):
        self.write_at("on_train_batch_start")

    def training_step(self, batch, batch_idx):
        self.write_at("training_step")
        return Bare.training_step(self, batch, batch_idx)

    def on_before_optimizer_step(self, optimizer):
        self.write_at("on_before_optimizer_step")

    def configure_gradient_clipping(self, *_, **__):
        self.write_at("configure_gradient_clipping")

    def on_train_batch_end(self, *_):
        self.write_at("on_train_batch_end")

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        self.write_at("optimizer_step, before")
        optimizer.step(closure=optimizer_closure)
        self.write_at("optimizer_step, after")

    def write_at(self, place):
        if place == type(self).where:
            self.write(self.trainer.optimizers[0])

    def write(self, optimizer):
        write(optimizer, LR)


class WritingCallback(pl.Callback):
    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        write(optimizer)


PLACES = [
    "on_train_batch_start",
    "training_step",
    "on_before_optimizer_step",
    "configure_gradient_clipping",
    "on_train_batch_end",
    "optimizer_step, before",
    "optimizer_step, after",
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "where",
    with_slow([*PLACES, "a callback"], "training_step", "optimizer_step, after", "a callback"),
)
def test_a_rate_that_is_written_anywhere_is_multiplied_like_the_optimizers_own(where, tmp_path):
    make = type("Written", (Writer,), {"where": where})
    others = [WritingCallback()] if where == "a callback" else []
    live = Live()
    fit(tmp_path, make, [live, FollowCandidate(0.5, "linear"), *others], max_epochs=2)
    expected = [0.5 * schedules.linear().at(step, 14) for step in range(14)]
    assert [high for _, high in live.used[1:]] == pytest.approx(expected[1:], rel=1e-12)
    assert list(curve(tmp_path, "autolr/rate").values()) == [high for _, high in live.used]


@pytest.mark.parametrize(
    "where",
    with_slow(
        [*PLACES, "on_train_epoch_end"],
        "on_train_batch_start",
        "optimizer_step, after",
        "on_train_epoch_end",
    ),
)
def test_a_rate_that_is_scaled_by_hand_is_scaled_once(where, tmp_path):
    class Scaled(Writer):
        def write(self, optimizer):
            for group in optimizer.param_groups:
                group["lr"] *= 0.5

        def on_train_epoch_end(self):
            self.write_at("on_train_epoch_end")

    make = type("Written", (Scaled,), {"where": where})
    live = Live()
    with pytest.warns(UserWarning, match="writes the optimizer's rate itself"):
        fit(tmp_path, make, [live, FollowCandidate(16 * LR, "constant")], max_epochs=2)
    rates = [high for _, high in live.used]
    by_step = where != "on_train_epoch_end"
    after = "after" in where or where == "on_train_batch_end"
    times = [(step + (not after)) if by_step else step // 7 for step in range(14)]
    assert rates == pytest.approx([16 * LR * 0.5**count for count in times], rel=1e-12)


@pytest.mark.parametrize(
    "where", ["on_train_batch_start", "training_step", "optimizer_step, after"]
)
def test_a_warm_up_by_hand_keeps_its_shape_and_a_line_says_so(where, tmp_path):
    class Warm(Writer):
        def write(self, optimizer):
            write(optimizer, LR * min(1.0, (self.trainer.global_step + 1) / 8))

    make = type("Written", (Warm,), {"where": where})
    live = Live()
    callback = AutoLR(RACE, rates=RATES, schedule="constant")
    with pytest.warns(UserWarning, match="AutoLR: the module or another callback writes") as caught:
        fit(tmp_path, make, [live, callback])
    assert sum("writes the optimizer's rate" in str(one.message) for one in caught) == 1
    result = callback.result
    late = [high for _, high in live.used[14:]]
    assert late == pytest.approx([result.peak] * 14, rel=1e-12)
    assert result.highest_rate == pytest.approx(result.peak, rel=1e-12)
    assert list(curve(tmp_path, "autolr/rate").values()) == [high for _, high in live.used]


def test_the_rate_written_once_more_as_it_was_is_no_reason_for_a_warning(tmp_path):
    class Same(Net):
        def on_train_batch_start(self, batch, batch_idx):
            write(self.trainer.optimizers[0])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tmp_path, Same, [FollowCandidate(0.5, "linear")], max_epochs=1)
    assert not any("writes the optimizer's rate" in str(one.message) for one in caught)


@pytest.mark.filterwarnings("ignore")
def test_a_warm_up_by_hand_that_is_cut_is_resumed_as_in_the_whole_run(tmp_path):
    class Warm(Writer):
        where = "optimizer_step, after"

        def write(self, optimizer):
            write(optimizer, LR * min(1.0, (self.trainer.global_step + 1) / 20))

    loader = {"train": DataLoader(TRAIN, 16)}
    whole = fit(tmp_path, Warm, [FollowCandidate(0.02, FALLING), kept(tmp_path / "c")], **loader)
    path = tmp_path / "c" / "epoch=1.ckpt"
    again = [FollowCandidate(0.02, FALLING)]
    rest = fit(tmp_path / "rest", Warm, again, ckpt_path=path, **loader)
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


class Warming(torch.optim.SGD):
    """Sets the rate of each step itself."""

    made = 0

    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        self.made += 1
        self.param_groups[0]["lr"] = LR * min(1.0, self.made / 4)
        super().step()
        return loss


class Drawn(Net):
    def configure_optimizers(self):
        return Warming(self.parameters(), lr=LR, momentum=0.9)


@pytest.mark.parametrize("max_epochs", [1, 4])
@pytest.mark.parametrize(
    "attach",
    [
        lambda: AutoLR(RACE),
        lambda: AutoLR(rates=(0.5, 0.5)),
        lambda: FollowCandidate(0.5, "linear"),
    ],
)
def test_an_optimizer_that_sets_its_own_rate_within_its_step_keeps_it(
    tmp_path, attach, max_epochs, recwarn
):
    torch.optim.SGD([torch.ones(1)])  # from then on the step of its class is hooked as well
    plain = fit(tmp_path / "plain", Drawn, max_epochs=max_epochs)
    callback = attach()
    ours = fit(tmp_path / "ours", Drawn, [callback], max_epochs=max_epochs)
    for part in ("weights and buffers", "optimizer", "generators", "metrics.csv"):
        assert differences(plain.left[part], ours.left[part]) == []
    lines = [str(w.message) for w in recwarn if "within its step" in str(w.message)]
    assert len(lines) == 1
    assert "Warming sets its own rate within its step (to 0.00195), so the rate of" in lines[0]
    if isinstance(callback, AutoLR):
        assert callback.result.run_peak == LR


@pytest.mark.filterwarnings("ignore")
def test_a_rule_in_place_of_an_optimizer_with_a_scheduler_is_refused(tmp_path):
    class Own(Net):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            return [optimizer], [lr_scheduler.ExponentialLR(optimizer, 0.9)]

    with pytest.raises(UnsupportedError, match="the module's ExponentialLR belongs to the one"):
        fit(tmp_path, Own, [ApplyRule("dog")])
