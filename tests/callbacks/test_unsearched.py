"""Runs in which nothing is searched: too short for a round, or with a validation that fails."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
from functools import partial

import pytest
import torch

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, RACE, Net, differences, fit, train_loader, val_loader

pytestmark = pytest.mark.filterwarnings("ignore:(?!AutoLR)")
LEFT = ("weights and buffers", "optimizer", "metrics.csv", "generators", "modes", "attributes")


def counting(calls):
    """Return a module that notes each call of its validation hooks."""

    class Counting(Net):
        def validation_step(self, batch, batch_idx):
            calls.append(("validated", self.global_step, batch_idx))
            super().validation_step(batch, batch_idx)

        def on_validation_model_eval(self):
            calls.append(("eval", self.global_step))
            super().on_validation_model_eval()

    return Counting()


class Data(pl.LightningDataModule):
    """Counts how often its loaders are made and begun."""

    def __init__(self):
        super().__init__()
        self.made = self.begun = 0

    def train_dataloader(self):
        return train_loader()

    def val_dataloader(self):
        self.made += 1
        loader, own = val_loader(), self

        class Loader(type(loader)):
            def __iter__(self):
                own.begun += 1
                return super().__iter__()

        return Loader(loader.dataset, batch_size=16)


def said(caught):
    return [line for one in caught if (line := str(one.message)).startswith("AutoLR")]


def fit_data(folder, callbacks, **settings):
    """Return what validation a fit of 14 steps has made."""
    data, calls = Data(), []
    make = partial(counting, calls)
    fit(folder, make, callbacks, train=data, val=None, best=None, max_epochs=2, **settings)
    return calls, data.made, data.begun


@pytest.mark.parametrize("sanity", [0, 2])
def test_a_run_too_short_to_search_is_validated_as_without_us(sanity, tmp_path, recwarn):
    settings = {"num_sanity_val_steps": sanity, "reload_dataloaders_every_n_epochs": 1}
    plain = fit_data(tmp_path / "plain", [], **settings)
    assert fit_data(tmp_path / "short", [AutoLR()], **settings) == plain
    assert said(recwarn) == []


class Scheduled(Net):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]


@pytest.mark.parametrize(
    ("make", "strategy", "steps", "kept"),
    [
        (Net, "annealed", 14, "no schedule"),
        pytest.param(Net, "autolrs", 3, "no schedule", marks=pytest.mark.slow),
        (Scheduled, "annealed", 14, "the scheduler of its module"),
    ],
)
def test_a_run_too_short_to_search_is_the_users_own(
    make, strategy, steps, kept, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    plain = fit(tmp_path / "plain", make, max_epochs=-1, max_steps=steps)
    with caplog.at_level(logging.INFO, logger="lightning.pytorch"):
        callbacks = [AutoLR(strategy)]
        short = fit(tmp_path / "short", make, callbacks, max_epochs=-1, max_steps=steps)
    for part in LEFT:
        assert differences(plain.left[part], short.left[part], part) == []
    (line,) = (m for m in caplog.messages if m.startswith("AutoLR"))
    assert line == (
        f"AutoLR: {steps} steps are too few to search: the run keeps a peak of 0.00781 and {kept}"
    )


def test_a_longer_run_is_validated_more_often(tmp_path):
    plain = fit_data(tmp_path / "plain", [])
    assert len(fit_data(tmp_path / "long", [AutoLR(RACE)])[0]) > len(plain[0])


def test_a_run_too_short_to_search_sends_nothing_to_the_loggers(tmp_path):
    callback = AutoLR(rates=(LR / 4, LR * 4))
    short = fit(tmp_path / "short", callbacks=[callback], max_epochs=2)
    path = tmp_path / "short" / "log" / "0" / "metrics.csv"
    assert "autolr" not in path.read_text()
    assert callback.result.peak == pytest.approx(LR, rel=1e-12)
    follow = FollowCandidate(callback.result.peak, callback.result.schedule)
    plain = fit(tmp_path / "plain", callbacks=[follow], max_epochs=2)
    for part in LEFT:
        assert differences(plain.left[part], short.left[part], part) == []


def test_a_short_run_is_warned_at_its_end_of_a_monitor_that_it_never_logs(tmp_path, recwarn):
    fit(tmp_path, callbacks=[AutoLR(monitor="vl_acc")], max_epochs=2)
    assert said(recwarn) == [
        "AutoLR: a longer run would be refused: monitor must be a metric that validation logs: "
        "val_acc, val_loss, got 'vl_acc'; did you mean 'val_acc'?"
    ]


@pytest.mark.parametrize("settings", [{"val": None}, {"limit_val_batches": 0, "best": None}])
def test_a_short_run_without_validation_is_not_warned_of_its_monitor(settings, tmp_path, recwarn):
    callback = AutoLR(monitor="vl_acc")
    fit(tmp_path, callbacks=[callback], max_epochs=2, **settings)
    assert said(recwarn) == []
    assert callback.result.monitor.name == "training loss"


class OnlyInTheLast(Net):
    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        if self.current_epoch == 1:
            self.log("val_auc", 0.5)


def test_a_metric_of_the_last_epoch_is_one_that_a_short_run_logs(tmp_path, recwarn):
    fit(tmp_path, OnlyInTheLast, [AutoLR(monitor="val_auc")], max_epochs=2)
    assert said(recwarn) == []


class OwnError(Exception):
    """Of the user's code."""


class Fails(Net):
    """Validation fails before a number of steps has been made."""

    def __init__(self, until):
        super().__init__()
        self.until = until

    def validation_step(self, batch, batch_idx):
        if self.global_step < self.until:
            raise OwnError("no statistics yet")
        super().validation_step(batch, batch_idx)


ENDED = (
    "AutoLR: the first pass over validation raised OwnError: no statistics yet: no rivals are "
    "trained beside the run, it keeps a peak of 0.00781 and no schedule"
)


def test_an_error_of_the_first_pass_ends_the_search_and_not_the_fit(tmp_path, recwarn):
    callback = AutoLR(RACE)
    settings = {"num_sanity_val_steps": 0}
    searched = fit(tmp_path / "searched", partial(Fails, 1), [callback], **settings)
    assert said(recwarn) == [ENDED]
    assert (callback.result.peak, callback.result.probe_steps) == (LR, 0)
    plain = fit(tmp_path / "plain", partial(Fails, 1), **settings)
    for part in LEFT:
        assert differences(plain.left[part], searched.left[part], part) == []


def test_the_runs_own_validation_raises_the_error_at_its_place(tmp_path, recwarn):
    steps = []

    class Watches(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            steps.append(trainer.global_step)

    with pytest.raises(OwnError, match="no statistics yet"):
        fit(tmp_path, partial(Fails, 99), [AutoLR(RACE), Watches()], num_sanity_val_steps=0)
    assert steps == [1, 2, 3, 4, 5, 6, 7]
    assert said(recwarn) == [ENDED]


def test_a_refused_fit_leaves_the_optimizer_and_schedulers_without_hooks(tmp_path):
    class Kept(Net):
        def configure_optimizers(self):
            made.append(super().configure_optimizers())
            return made[-1]

    made, trainers = [], []

    class Catches(pl.Callback):
        def on_exception(self, trainer, *_):
            trainers.append(trainer)

    with pytest.raises(ConfigError, match="monitor must be"):
        fit(tmp_path, Kept, [AutoLR(RACE, monitor="val_lss"), Catches()])
    assert not made[0]._optimizer_step_pre_hooks
    assert "update_lr_schedulers" not in vars(trainers[0].fit_loop.epoch_loop)
