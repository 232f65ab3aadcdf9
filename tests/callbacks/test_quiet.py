"""What surrounds a Trainer stays in its place while rivals train, and learns nothing of them."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import os
import pty
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from unittest.mock import MagicMock

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import (
    EarlyStopping,
    LambdaCallback,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import Logger

from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.callbacks.edges import First, Last
from autolr.callbacks.quiet import drop, quiet
from autolr.online import Annealed, Thresholds
from tests.callbacks.runs import LR, Net, differences, fit
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")

LOSING = Annealed(candidates=2, checks=(), thresholds=Thresholds(rollbacks=0), budget=3.0)


def searcher():
    """Return a search whose rival, at 2,048 times the rate, is trained and loses."""
    return AutoLR(LOSING, schedule=schedules.constant(), rates=(LR, LR * 2.0**11))


class Witness(Net):
    """Notes what it sees around it, in its own thread and in another one."""

    def training_step(self, batch, batch_idx):
        self.witness()
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.witness()
        super().validation_step(batch, batch_idx)

    def witness(self):
        SEEN.append(surroundings(self))
        other = threading.Thread(target=lambda: SEEN.append(surroundings(self)))
        other.start()
        other.join()


SEEN: list[object] = []


def surroundings(module):
    trainer, logger = module.trainer, module.logger
    return (
        [one for one in trainer.callbacks if not isinstance(one, First | Last)],
        trainer.checkpoint_callback,
        trainer.checkpoint_callbacks,
        trainer.early_stopping_callback,
        trainer.progress_bar_callback,
        trainer.loggers,
        trainer.logger,
        trainer.log_dir,
        logger,
        isinstance(logger, CSVLogger),
        (logger.log_dir, logger.root_dir, logger.save_dir, logger.name, logger.version),
        (logger.experiment.log_dir, isinstance(logger.experiment, ExperimentWriter)),
    )


@pytest.mark.parametrize("bar", [[], [TQDMProgressBar]], ids=["rich", "tqdm"])
def test_a_module_sees_the_same_in_a_rivals_step_as_in_its_own(bar, tmp_path):
    SEEN.clear()
    callbacks = [searcher(), EarlyStopping("val_loss", patience=99), *(one() for one in bar)]
    run = fit(tmp_path, Witness, callbacks, enable_progress_bar=True)
    live = run.trainer.global_step + 3 * run.trainer.max_epochs + 2
    assert len(SEEN) > 2 * live  # rivals' steps and our passes
    expected = surroundings(run.module)
    assert all(seen == expected for seen in SEEN)
    assert None not in expected


class Recorder(Logger):
    """A logger of the user's own that writes into lists."""

    save_dir = property(lambda self: "/nowhere")

    def __init__(self):
        super().__init__()
        self.rows = []
        self.sink = Sink()

    name = property(lambda self: "recorder")
    version = property(lambda self: 7)

    @property
    def experiment(self):
        return self.sink

    def log_metrics(self, metrics, step=None):
        self.rows.append((dict(metrics), step))

    def log_hyperparams(self, params, *args, **kwargs):
        self.rows.append(params)

    def log_image(self, key, images):
        self.rows.append((key, images))

    def get_url(self):
        return "https://recorder/7"


class Sink:
    """What such a logger writes through: it has methods, items, attributes and parts."""

    def __init__(self):
        self.scalars, self.config, self.tags, self.parts = [], {}, [], {}

    @property
    def tag(self):
        return self.tags[-1]

    @tag.setter
    def tag(self, value):
        self.tags.append(value)

    def add_scalar(self, name, value, step=0):
        self.scalars.append((name, value, step))

    def get_logdir(self):
        return "/nowhere/7"

    def __getitem__(self, name):
        return self.parts.setdefault(name, Sink())


class Talker(Net):
    """Logs in every way that a module has, and uses what it is answered."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.say("train", float(loss))
        return loss

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.say("val", float(self.head[1].weight.sum()))

    def say(self, name, value):
        self.print(name, value)
        if self.trainer.training:
            self.log_dict({f"{name}_dict": value})
        if self.trainer.progress_bar_callback is not None:
            self.trainer.progress_bar_callback.print(name)
        for logger in self.loggers:
            logger.log_metrics({name: value}, step=self.global_step)
            logger.log_hyperparams({name: value})
        logger = self.trainer.loggers[1]
        assert logger.get_url() == "https://recorder/7"
        assert os.path.join(logger.experiment.get_logdir(), logger.name) == "/nowhere/7/recorder"
        logger.log_image(name, [value])
        logger.experiment.add_scalar(name, value, self.global_step)
        logger.experiment[name].add_scalar(name, value)
        logger.experiment.config["value"] = value
        logger.experiment.scalars.append(value)
        logger.experiment.tag = str(value)
        HELD[-1].experiment.add_scalar("held", value)
        self.trainer.save_checkpoint(self.trainer.default_root_dir + f"/{name}.ckpt")


HELD: list[Recorder] = []  # a logger that the module knows in another way


class Saves(pl.Callback):
    """Notes when a checkpoint is written."""

    def __init__(self):
        self.steps = []

    def on_save_checkpoint(self, trainer, *_):
        self.steps.append(trainer.global_step)


def spoken(folder, callbacks, bar, capsys):
    """Return all that a talking module has left."""
    saves = Saves()
    HELD.append(Recorder())
    loggers = [CSVLogger(folder, name="log", version="0"), HELD[-1]]
    settings = {"default_root_dir": str(folder), "enable_progress_bar": bar}
    fit(folder, Talker, [*callbacks, saves], logger=loggers, **settings)
    sink = HELD[-1].sink
    printed = [line for line in capsys.readouterr().out.splitlines() if line[:3] in ("tra", "val")]
    return {
        "rows": [row for row in HELD[-1].rows if "autolr/" not in str(row)],
        "sink": (sink.scalars, sink.config, sink.tags),
        "parts": {name: part.scalars for name, part in sink.parts.items()},
        "printed": printed,
        "saved": saves.steps,
    }


@pytest.mark.slow
@pytest.mark.parametrize("bar", [True, False], ids=["with a bar", "without"])
def test_what_a_module_logs_prints_or_saves_of_a_rival_leaves_no_trace(bar, tmp_path, capsys):
    plain = spoken(tmp_path / "plain", [], bar, capsys)
    callback = searcher()
    assert differences(spoken(tmp_path / "searched", [callback], bar, capsys), plain) == []
    assert callback.result.probe_steps > 0
    assert len(plain["printed"]) > 28


HOOKS = (
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


class Listener(pl.Callback):
    """Counts the hooks of a step."""

    def __init__(self):
        self.heard = Counter()

    def on_before_zero_grad(self, *_):
        self.heard["on_before_zero_grad"] += 1

    def on_before_backward(self, *_):
        self.heard["on_before_backward"] += 1

    def on_after_backward(self, *_):
        self.heard["on_after_backward"] += 1

    def on_before_optimizer_step(self, *_):
        self.heard["on_before_optimizer_step"] += 1


@pytest.mark.parametrize("precision", [*only_with_slow("32-true"), "bf16-mixed"])
def test_callbacks_hear_nothing_of_a_rivals_step(precision, tmp_path):
    calls = Counter()
    hooks = {hook: lambda *_, hook=hook: calls.update([hook]) for hook in HOOKS}
    listener, callback = Listener(), searcher()
    callbacks = [listener, callback, LambdaCallback(**hooks)]
    steps = fit(tmp_path, Net, callbacks, precision=precision).trainer.global_step
    assert callback.result.probe_steps > 0
    assert listener.heard == calls == Counter(dict.fromkeys(HOOKS, steps))


HIGHEST = [0.0]


class Stopping(Net):
    """Stops a run whose loss is far too high: a rival's."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        HIGHEST[0] = max(HIGHEST[0], float(loss))
        if loss > 50:
            self.trainer.should_stop = True
        return loss


def test_a_rival_does_not_stop_the_run(tmp_path):
    callback = searcher()
    run = fit(tmp_path, Stopping, [callback])
    assert run.trainer.global_step == 28
    assert HIGHEST[0] > 50


def test_a_mock_may_be_a_logger(tmp_path):
    logger = MagicMock(spec=Recorder)
    trainer = pl.Trainer(logger=logger, accelerator="cpu", default_root_dir=tmp_path)
    with quiet(trainer, Net(), drop):
        logger.log_metrics({"rival": 1.0})
    logger.log_metrics({"run": 2.0})
    logger.log_metrics.assert_called_once_with({"run": 2.0})


def test_other_threads_log_while_a_logger_is_silent(tmp_path):
    logger = Recorder()
    trainer = pl.Trainer(logger=logger, accelerator="cpu", default_root_dir=tmp_path)
    with quiet(trainer, Net(), drop):
        logger.log_metrics({"rival": 1.0})
        other = threading.Thread(target=lambda: logger.log_metrics({"monitor": 2.0}))
        other.start()
        other.join()
    logger.log_metrics({"run": 3.0})
    assert logger.rows == [({"monitor": 2.0}, None), ({"run": 3.0}, None)]


ORDINARY = """
import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks import AutoLR


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def loss(self, batch):
        return (self.net(batch[0]) - batch[1]).square().mean()

    def training_step(self, batch):
        time.sleep(0.001)  # the bar draws ten times a second
        return self.loss(batch)

    def validation_step(self, batch):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Alive(Callback):
    def on_train_epoch_end(self, trainer, module):
        bar = trainer.progress_bar_callback
        print("drawn by", bar.progress.live._refresh_thread.is_alive(), flush=True)


x = torch.randn(1600, 3)
data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 8)
trainer = Trainer(max_epochs=2, accelerator="cpu", callbacks=[AutoLR(), Alive()])
trainer.fit(Line(), data, data)
"""


@pytest.mark.slow
def test_the_bar_of_an_ordinary_trainer_lives_to_the_end_of_the_run(tmp_path):
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-c", ORDINARY]
    running = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **settings}, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how a terminal without a writer ends on Linux
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    text = shown.decode()
    assert running.wait() == 0, text
    assert text.count("drawn by True") == 2, text
    assert "Traceback" not in text
    assert "Epoch 1/1" in text
