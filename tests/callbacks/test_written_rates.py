"""Rates that other code writes into the optimizer while a search or a candidate is followed."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import warnings

import pytest
import torch
from torch.utils.data import DataLoader

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, RACE, TRAIN, Bare, Net, curve, differences, fit
from tests.callbacks.spied_rates import FALLING, RATES, Groups, Live, kept
from tests.cases import only_with_slow, with_slow


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
    "where",
    with_slow(["on_train_batch_start", "training_step", "optimizer_step, after"], "training_step"),
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


@pytest.mark.parametrize("max_epochs", [1, *only_with_slow(4)])
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
