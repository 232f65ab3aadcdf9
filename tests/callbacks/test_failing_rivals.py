"""The user's code raises where only the search runs it: the run continues."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.namespace import CSVLogger, pl
from tests.callbacks.runs import LR, Net, differences, fit, val_loader
from tests.cases import with_slow

REFUSED = "Exception: Loss is NaN, training stopped."
RACE = Annealed(candidates=2, checks=(), budget=3.0)
LEFT = ("weights and buffers", "optimizer", "metrics.csv", "generators", "modes", "attributes")


class Steep(Net):
    """Least squares: at a high rate the loss overflows within a few steps."""

    def training_step(self, batch, batch_idx):
        return F.mse_loss(self(batch[0]), F.one_hot(batch[1], 4).float())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9)


class Strict(Steep):
    """Refuses a loss that explodes, as neuralforecast refuses NaN."""

    def refuse(self, loss):
        if not loss.detach() < 1e6:
            raise Exception("Loss is NaN, training stopped.")


class InTraining(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.refuse(loss)
        return loss


class InBackward(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if loss.requires_grad:
            loss.register_hook(lambda _: self.refuse(loss))
        return loss


class BeforeStep(Strict):
    def on_before_optimizer_step(self, optimizer):
        self.refuse(max(p.grad.abs().max() for p in self.parameters()))


class AtBatchEnd(Strict):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.refuse(self.head[1].weight.abs().max())


class InValidation(Net):
    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        assert loss < 3, "no sensible loss"
        self.log("val_loss", loss)


class Silent(Net):
    """Logs its metric only where it is finite."""

    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        if loss < 3:
            self.log("val_loss", loss)


def fits_alike(tmp_path, make, searcher, rate=LR, **settings):
    """Fit with a search that the run survives at its first rate; assert that nothing differs."""
    searched = fit(tmp_path / "searched", make, [searcher], **settings)
    follow = FollowCandidate(rate, searcher.result.schedule)
    plain = fit(tmp_path / "plain", make, [follow], **settings)
    assert searched.module._current_fx_name == plain.module._current_fx_name
    for part in LEFT:
        assert differences(plain.left[part], searched.left[part], part) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (InTraining, REFUSED),
        pytest.param(InBackward, REFUSED, marks=pytest.mark.slow),
        pytest.param(BeforeStep, REFUSED, marks=pytest.mark.slow),
        pytest.param(AtBatchEnd, REFUSED, marks=pytest.mark.slow),
        (InValidation, "AssertionError: no sensible loss"),
        (Silent, "validation logged 'val_loss' when the fit began and no longer does: "),
    ],
)
def test_a_rival_whose_code_raises_loses_and_leaves_no_trace(tmp_path, make, error, caplog):
    high = LR * 2.0 ** (14 if make in (InValidation, Silent) else 40)
    callback = AutoLR(RACE, rates=(LR, high), schedule="constant")
    caplog.set_level("INFO")
    fits_alike(tmp_path, make, callback)
    result = callback.result
    assert result.peak == LR
    (record,) = result.copies
    assert record.reason.startswith(f"a copy raised {error}")
    assert (record.ended, record.ends_search) == ((high,), False)
    assert caplog.text.count("a copy raised") == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_looks_for_anomalies_survives_its_rivals(tmp_path):
    class Root(Steep):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return loss + 0.0 * (1e6 - loss).sqrt()

    callback = AutoLR(RACE, rates=(LR, LR * 2.0**40), schedule="constant")
    fits_alike(tmp_path, Root, callback, detect_anomaly=True)
    assert callback.result.peak == LR


class Ceasing(Net):
    """Logs its metric in its first epochs alone."""

    def validation_step(self, batch, batch_idx):
        if self.trainer.global_step < 12:
            self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


@pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::UserWarning:torch")
def test_a_metric_that_is_no_longer_logged_ends_the_search_and_not_the_run(tmp_path, recwarn):
    callback = AutoLR(RACE, rates=(LR, 2 * LR), schedule="constant")
    fits_alike(tmp_path, Ceasing, callback, val=val_loader(), best=None)
    assert (callback.result.peak, callback.result.run_peak) == (None, LR)
    (line,) = [str(w.message) for w in recwarn if "AutoLR" in str(w.message)]
    assert line == (
        "AutoLR: step 14: the search ends: validation logged 'val_loss' when the fit began and no "
        "longer does: log it in every validation; the run keeps a peak of 0.00781"
    )


@pytest.mark.filterwarnings("ignore")
def test_a_hook_that_fails_for_rivals_in_mid_run_leaves_a_result_behind(tmp_path):
    class Once(Net):
        """Counts in a class what only the live run may do."""

        done: ClassVar[set[int]] = set()

        def on_train_batch_end(self, outputs, batch, batch_idx):
            step = self.trainer.global_step
            if step in self.done:
                raise RuntimeError(f"step {step} has been logged")
            self.done.add(step)

    callback = AutoLR(RACE, rates=(LR, 2 * LR), schedule="constant")
    fit(tmp_path, Once, [callback])
    assert callback.result.run_peak == LR
    assert [record.ended for record in callback.result.copies] == [(2 * LR,)]


class Picky(CSVLogger):
    """Refuses names that it does not know."""

    def log_metrics(self, metrics, step=None):
        if any(name.startswith("autolr/") for name in metrics):
            raise ValueError("unknown metric")
        super().log_metrics(metrics, step)


def test_a_logger_that_refuses_our_metrics_gets_no_more_of_them(tmp_path, recwarn):
    logger = Picky(tmp_path / "searched", name="log", version="0")
    callback = AutoLR(RACE, rates=(LR, LR), schedule="constant")
    searched = fit(tmp_path / "searched", Net, [callback], logger=logger)
    plain = fit(tmp_path / "plain", Net, [FollowCandidate(LR, "constant")])
    for part in LEFT:
        assert differences(plain.left[part], searched.left[part], part) == []
    lines = [str(w.message) for w in recwarn if "unknown metric" in str(w.message)]
    assert lines == [
        "AutoLR: Picky does not take autolr/rate, autolr/probe_steps, so it gets no more of them: "
        "ValueError: unknown metric"
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_folder_that_cannot_be_written_after_the_fit_costs_a_line(tmp_path):
    class Vandal(pl.Callback):
        def on_train_epoch_end(self, *_):
            (tmp_path / "found").touch()

    callback = AutoLR(RACE, rates=(LR, LR), save_to=tmp_path / "found")
    with pytest.warns(UserWarning, match="AutoLR: the result is not saved: .*found"):
        fit(tmp_path, Net, [callback, Vandal()])
    assert callback.result.peak == LR


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_that_ignores_its_rate_trains_as_without_a_search(tmp_path):
    class Deaf(torch.optim.Adam):
        def step(self, closure=None):
            with torch.enable_grad():
                loss = closure()
            before = [group["lr"] for group in self.param_groups]
            for group in self.param_groups:
                group["lr"] = LR
            super().step()
            for group, rate in zip(self.param_groups, before, strict=True):
                group["lr"] = rate
            return loss

    class Own(Net):
        def configure_optimizers(self):
            return Deaf(self.parameters(), lr=LR)

    callback = AutoLR(Annealed(race=0.2, checks=(), budget=3.0))
    ours = fit(tmp_path / "ours", Own, [callback])
    plain = fit(tmp_path / "plain", Own)
    for part in LEFT:
        assert differences(plain.left[part], ours.left[part], part) == []
    assert (callback.result.peak, callback.result.run_peak) == (None, LR)
    assert "Deaf has made the same steps at rates of up to" in callback.result.broken_off.reason


@pytest.mark.filterwarnings("ignore")
def test_a_validation_that_raises_in_the_search_alone_leaves_no_trace(tmp_path):
    tried = []

    class Busy(Net):
        """Fails in its first pass at the end of the race: that is the search's."""

        def validation_step(self, batch, batch_idx):
            if self.trainer.global_step == 14 and not tried:
                tried.append(batch_idx)
                raise OSError("the device is busy")
            super().validation_step(batch, batch_idx)

    callback = AutoLR(RACE, rates=(LR, 2 * LR), schedule="constant")
    fits_alike(tmp_path, Busy, callback)
    assert callback.result.broken_off.reason == "OSError: the device is busy"
    assert tried == [0]


class Skipping(Steep):
    """Its data break from a step on, and it keeps what has no finite loss out of its weights."""

    broken_from = 5

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return loss * float("nan") if self.global_step >= self.broken_from else loss

    def on_before_optimizer_step(self, optimizer):
        for parameter in self.parameters():
            parameter.grad.nan_to_num_(0.0)


@pytest.mark.filterwarnings("ignore:(?!AutoLR)")
@pytest.mark.parametrize(
    "broken_from", with_slow({"in the race": 5, "after it": 20}, "in the race")
)
def test_a_run_that_survives_its_broken_batches_is_not_ended_by_the_search(broken_from, tmp_path):
    checks = (Check(0.8, 0.8), Check(0.9, 0.9))
    watched = Annealed(candidates=2, checks=checks, thresholds=Thresholds(rollbacks=0), budget=3.0)
    callback = AutoLR(watched, rates=(LR, LR * 2), schedule="constant")
    make = type("From", (Skipping,), {"broken_from": broken_from})
    with pytest.warns(UserWarning, match="AutoLR: step .*: the search ends: the loss is NaN"):
        run = fit(tmp_path / "searched", make, [callback], max_epochs=6)
    assert run.trainer.global_step == 42
    follow = FollowCandidate(callback.result.run_peak, "constant")
    plain = fit(tmp_path / "plain", make, [follow], max_epochs=6)
    for part in ("weights and buffers", "optimizer", "generators"):
        assert differences(plain.left[part], run.left[part], part) == []
