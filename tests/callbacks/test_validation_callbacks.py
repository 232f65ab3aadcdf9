"""Metrics of callbacks, metrics of some epochs only, and what a pass leaves of a Trainer."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback
from lightning.pytorch.profilers import SimpleProfiler
from torchmetrics.classification import MulticlassAccuracy

from autolr import schedules
from autolr.callbacks import AutoLR, PruneTrial
from autolr.callbacks.listeners import listeners_of
from autolr.callbacks.validation import ValidationPass
from autolr.errors import ConfigError
from tests.callbacks.runs import LR, RACE, Net, differences, fit, train_loader, val_loader
from tests.cases import only_with_slow, with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


class Quiet(Net):
    """Logs nothing in validation."""

    def validation_step(self, batch, batch_idx):
        return self(batch[0])


class Evaluator(pl.Callback):
    """Scores what a module returns, as an evaluator beside it does."""

    def __init__(self):
        self.accuracy = MulticlassAccuracy(4)
        self.losses, self.passes, self.ended = [], 0, 0

    def on_validation_epoch_start(self, trainer, pl_module):
        self.losses.clear()
        self.passes += 1

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(F.cross_entropy(outputs, batch[1]))
        self.accuracy.update(outputs, batch[1])

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("callback_loss", torch.stack(self.losses).mean())
        pl_module.log("callback_acc", self.accuracy.compute())
        self.accuracy.reset()

    def on_validation_end(self, trainer, pl_module):
        self.ended += 1


def made(module, callbacks, **settings):
    """Return a trainer whose fit has ended without a validation of its own."""
    settings = {"check_val_every_n_epoch": 9, "num_sanity_val_steps": 0, **settings}
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=3,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(module, train_loader(), val_loader())
    return trainer


class AtTheEnd(pl.Callback):
    """Does something at the end of a fit."""

    def __init__(self, act):
        self.act = act

    def on_train_end(self, trainer, pl_module):
        self.act(trainer, pl_module)


def test_a_metric_of_a_callback_is_the_one_that_trainer_validate_gives():
    ours = {}

    def passes(trainer, module):
        one = ValidationPass(trainer, module)
        assert "callback_loss" in one.find("callback_loss")
        before = list(evaluator.losses), evaluator.passes, evaluator.accuracy._update_count
        ours.update(one.logged("callback_loss"))
        after = list(evaluator.losses), evaluator.passes, evaluator.accuracy._update_count
        assert before == after

    evaluator, module = Evaluator(), Quiet()
    trainer = made(module, [evaluator, AtTheEnd(passes)])
    assert (evaluator.passes, evaluator.ended) == (0, 0)
    theirs = trainer.validate(module, val_loader(), verbose=False)[0]
    assert ours == theirs
    assert (evaluator.passes, evaluator.ended) == (1, 1)


@pytest.mark.parametrize("monitor", ["callback_loss", *only_with_slow("callback_acc")])
def test_a_search_by_a_callbacks_metric_leaves_the_run_as_it_is(monitor, tmp_path):
    only = AutoLR(schedule=schedules.constant(), rates=(LR, LR), monitor=monitor)
    evaluators = Evaluator(), Evaluator()
    plain = fit(tmp_path / "plain", Quiet, [evaluators[0]], best=monitor).left
    searched = fit(tmp_path / "searched", Quiet, [evaluators[1], only], best=monitor).left
    searched["checkpoint"].pop("callbacks", None)
    assert differences(searched, plain) == []
    assert evaluators[0].passes == evaluators[1].passes
    assert evaluators[0].ended == evaluators[1].ended


def test_peaks_are_compared_by_a_callbacks_metric(tmp_path):
    callback = AutoLR(RACE, monitor="callback_loss")
    fit(tmp_path, Quiet, [callback, Evaluator()], best="callback_loss")
    assert callback.result.compared
    assert callback.result.scores


def test_a_lambda_may_log_the_metric(tmp_path):
    log = LambdaCallback(on_validation_epoch_end=lambda _, module: module.log("one", 1.0))
    callback = AutoLR(RACE, monitor="one", mode="min")
    fit(tmp_path, Quiet, [callback, log], best="one")
    assert {score.score for score in callback.result.scores} == {1.0}


class Summed(Net):
    """Logs what a callback has logged, which fails without it."""

    def validation_step(self, batch, batch_idx):
        return self(batch[0])

    def on_validation_epoch_end(self):
        self.log("val_loss", 2 * self.trainer.callback_metrics["callback_loss"])


def test_a_module_may_read_what_a_callback_logs(tmp_path):
    callback = AutoLR(RACE)
    fit(tmp_path, Summed, [callback, Evaluator()])
    assert callback.result.compared


def test_no_callback_is_called_where_the_module_logs_the_metric(tmp_path):
    evaluator, callback = Evaluator(), AutoLR(RACE)
    with_outputs = type("Both", (Net,), {"validation_step": both})
    fit(tmp_path, with_outputs, [evaluator, callback])
    assert evaluator.passes == 4 + 1  # the Trainer's own, and its sanity check


def both(module, batch, batch_idx):
    module.log("val_loss", F.cross_entropy(module(batch[0]), batch[1]))
    return module(batch[0])


class Sometimes(Net):
    """Logs its loss in some passes only."""

    logs = staticmethod(lambda epoch, batch_idx: True)

    def validation_step(self, batch, batch_idx):
        self.log("epoch", float(self.current_epoch))
        if self.logs(self.current_epoch, batch_idx):
            self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


WHEN = {
    "every second epoch": (lambda epoch, batch_idx: epoch % 2 == 1, "as in epoch 1"),
    "the last epoch": (lambda epoch, batch_idx: epoch == 3, "as in epoch 3"),
    "the first epoch": (lambda epoch, batch_idx: epoch < 1, None),
    "the last batch": (lambda epoch, batch_idx: batch_idx == 2, None),
}


@pytest.mark.parametrize(("logs", "said"), with_slow(WHEN, "every second epoch", "the last batch"))
def test_a_metric_may_be_logged_now_and_then(logs, said, tmp_path, caplog):
    callback = AutoLR(RACE, monitor="val_loss")
    make = type("Now", (Sometimes,), {"logs": staticmethod(logs)})
    fit(tmp_path, make, [callback], best="epoch")
    assert callback.result.compared
    assert ("only in some epochs" in caplog.text) == (said is not None)
    assert said is None or said in caplog.text


def test_the_final_score_of_a_trial_is_there_whatever_the_last_epoch_logs(tmp_path):
    prune = PruneTrial(NoReports(), ())
    make = type("Now", (Sometimes,), {"logs": staticmethod(lambda epoch, _: epoch % 2 == 0)})
    fit(tmp_path, make, [prune], best="epoch", max_epochs=3)
    assert prune.final["val_loss"] > 0


class NoReports:
    """A trial that takes no report."""

    def report(self, value, step):
        """Forget it."""

    def should_prune(self):
        return False


def test_a_metric_that_nothing_logs_is_refused_with_those_that_are(tmp_path):
    match = r"monitor must be a metric that validation logs: callback_acc, callback_loss, got 'fid'"
    with pytest.raises(ConfigError, match=match):
        fit(
            tmp_path,
            Quiet,
            [AutoLR(RACE, monitor="fid", mode="min"), Evaluator()],
            best="callback_acc",
        )


def test_a_pass_leaves_the_trainers_metrics_progress_and_profile_as_they_were():
    def passes(trainer, module):
        trainer._last_val_time = 7.0
        trainer.callback_metrics["mine"] = torch.tensor(1.0)
        before = state_of(trainer)
        logged = ValidationPass(trainer, module).run()
        assert "mine" not in logged
        assert differences(state_of(trainer), before) == []

    profiler = SimpleProfiler()
    made(Net(), [AtTheEnd(passes), EarlyStopping("train_loss")], profiler=profiler)


def state_of(trainer):
    connector, loop = trainer._logger_connector, trainer.fit_loop.epoch_loop.val_loop
    return {
        "callback": dict(connector._callback_metrics),
        "logged": dict(connector._logged_metrics),
        "bar": dict(connector._progress_bar_metrics),
        "results": {name: str(one) for name, one in trainer._results.items()},
        "loops": {name: value for name, value in trainer.fit_loop.state_dict().items()},
        "loop": (id(loop), dict(loop._results), loop._has_run),
        "validated": trainer._last_val_time,
        "profiled": sorted(trainer.profiler.recorded_durations),
        "stage": trainer.state.stage,
        "callbacks": [sorted(vars(one)) for one in trainer.callbacks],
    }


def test_a_signal_to_end_does_not_end_a_pass_halfway():
    def passes(trainer, module):
        trainer._signal_connector.received_sigterm = True
        assert ValidationPass(trainer, module).run()["val_loss"] > 0
        assert trainer.received_sigterm
        trainer._signal_connector.received_sigterm = False

    made(Net(), [AtTheEnd(passes)])


def test_a_bare_trainer_is_searched(tmp_path):
    callback = AutoLR(RACE)
    trainer = pl.Trainer(accelerator="cpu", barebones=True, max_epochs=2, callbacks=[callback])
    trainer.fit(Net(), train_loader(), val_loader())
    assert callback.result.compared


class ByEpoch(Quiet):
    """Has a value for each of two epochs, of a fit that may have more."""

    def validation_step(self, batch, batch_idx):
        self.log("val_auc", [0.5, 0.6][self.current_epoch])


def test_a_look_at_epochs_that_the_module_has_nothing_for_ends_in_the_usual_words(tmp_path):
    match = r"monitor must be a metric that validation logs: val_auc, got 'fid'"
    with pytest.raises(ConfigError, match=match):
        fit(tmp_path, ByEpoch, [AutoLR(RACE, monitor="fid", mode="min")], best="val_auc")


def test_an_object_with_a_callbacks_hooks_need_not_derive_from_one():
    class Duck:
        """Has some hooks only."""

    class Logging(Duck):
        def on_validation_epoch_end(self, trainer, pl_module):
            """Log nothing yet."""

    logging = Logging()
    assert listeners_of(SimpleNamespace(callbacks=[Duck(), logging])) == (logging,)
