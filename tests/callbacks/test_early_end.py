"""Runs that end before their schedule does."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from dataclasses import replace
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import pytorch_lightning
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer

from autolr import load_result
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.callbacks.early_end import early_stoppers
from autolr.schedules import linear
from tests.callbacks.runs import LR, Net, fit
from tests.cases import only_with_slow

MAY_END = r"^AutoLR: [\w ()]+ may end the run before its 28 steps, .* is not annealed: leave it out"


class Patient(EarlyStopping):
    """One of the user's own."""


def stopping(kind=EarlyStopping):
    """Return a callback that ends a run of 4 epochs after its second one."""
    return kind("val_loss", min_delta=9.0, patience=1)


class StopsAtTen(Net):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.trainer.should_stop = self.trainer.global_step == 10


class SkipsHalfAnEpoch(Net):
    def on_train_batch_start(self, batch, batch_idx):
        return -1 if self.trainer.current_epoch == 1 and batch_idx == 3 else None


def warned(recwarn):
    return [line for w in recwarn if (line := str(w.message)).startswith(("AutoLR: ", "Follow"))]


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [stopping()]},
        *only_with_slow({"callbacks": [stopping(Patient)]}),
        *only_with_slow({"callbacks": [Timer("00:00:10:00")]}),
        {"max_time": "00:00:10:00"},
    ],
    ids=["EarlyStopping", "a subclass", "Timer", "max_time"],
)
def test_a_callback_that_may_end_the_run_is_named_before_it_trains(tmp_path, settings):
    callbacks = [AutoLR(rates=(LR, LR)), *settings.pop("callbacks", ())]
    with pytest.warns(UserWarning, match=MAY_END) as warned:
        fit(tmp_path, callbacks=callbacks, **settings)
    assert sum("may end" in str(one.message) for one in warned) == 1
    assert all("\n" not in str(one.message) for one in warned)


def test_callbacks_of_both_packages_are_known_and_others_are_not():
    theirs = pytorch_lightning.callbacks.EarlyStopping("val_loss")
    trainer = SimpleNamespace(
        callbacks=[theirs, stopping(), ModelCheckpoint(), Timer("00:00:00:09")]
    )
    assert early_stoppers(trainer) == ["EarlyStopping", "EarlyStopping", "Timer (max_time)"]

    class EarlyStopping(pl.Callback):
        """Another thing of that name."""

    assert early_stoppers(SimpleNamespace(callbacks=[EarlyStopping()])) == []


@pytest.mark.parametrize(
    ("make", "steps"), [(StopsAtTen, 10), (SkipsHalfAnEpoch, 24)], ids=["should_stop", "-1"]
)
def test_a_run_that_its_module_ends_early_is_said_to_have_ended_so(tmp_path, recwarn, make, steps):
    callback = AutoLR(save_to=tmp_path / "found")
    fit(tmp_path, make, [callback])
    (line,) = warned(recwarn)
    assert line.startswith(f"AutoLR: the run ended after {steps} of 28 steps, before its schedule")
    assert callback.result.stopped_at == steps
    assert callback.result.price == (steps + callback.result.probe_steps) / steps
    assert load_result(tmp_path / "found") == callback.result
    page = (tmp_path / "found" / "result.html").read_text()
    assert f"after {steps}" in page
    assert f"# the run ended after {steps} of these 28 steps" in page
    assert ".timed(28)" in page  # a replay follows the schedule as far as the run did


def test_a_run_that_early_stopping_ends_is_marked(tmp_path, recwarn):
    callback = AutoLR()
    fit(tmp_path, callbacks=[callback, stopping()])
    before, after = warned(recwarn)
    assert "EarlyStopping may end the run" in before
    assert "the run ended after 14 of 28 steps" in after
    assert callback.result.stopped_at == 14


def test_a_whole_run_is_warned_of_nothing(tmp_path, recwarn):
    callback = AutoLR()
    fit(tmp_path, callbacks=[callback])
    assert callback.result.stopped_at is None
    assert warned(recwarn) == []


def test_a_run_that_ended_early_and_continues_to_its_end_is_whole(tmp_path):
    class Stops(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.should_stop = trainer.current_epoch == 1

    first, then = AutoLR(), AutoLR()
    cut = fit(tmp_path / "cut", callbacks=[first, Stops()])
    assert first.result.stopped_at == 14
    cut.trainer.save_checkpoint(tmp_path / "cut.ckpt")
    fit(tmp_path / "rest", callbacks=[then, Stops()], ckpt_path=tmp_path / "cut.ckpt")
    assert then.result.stopped_at is None


def test_a_candidate_that_is_followed_is_warned_of_in_the_same_way(tmp_path, recwarn):
    fit(tmp_path, callbacks=[FollowCandidate(LR, "linear"), stopping()])
    before, after = warned(recwarn)
    assert before.startswith("FollowCandidate: EarlyStopping may end the run before its 28 steps")
    assert after.startswith("FollowCandidate: the run ended after 14 of 28 steps")


def test_the_replay_of_a_run_that_ended_early_keeps_the_schedule_of_the_whole_run(tmp_path):
    callback = AutoLR(schedule=linear(), rates=(LR, LR))
    fit(tmp_path, StopsAtTen, [callback])
    result = callback.result
    assert result == replace(result, total_steps=28, stopped_at=10)
    assert result.schedule.at(9, result.total_steps) == linear().at(9, 28)
