"""A small project in a folder of its own, and the command run in it as a process."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

_HERE = Path(__file__).parent
_PATIENCE = 240.0  # seconds before a command that does not end is taken for hung

MODEL = '''\
"""A straight line, fitted by a network that is large enough to care for its rate."""

import os
import time

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset


class Line(LightningModule):
    def __init__(self, width: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(3, width),
            torch.nn.Tanh(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width, 1),
        )

    def training_step(self, batch):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch):
        error = self.net(batch[0]) - batch[1]
        self.log("val_loss", error.pow(2).mean())
        self.log("val_acc", (error.abs() < 0.5).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Points(LightningDataModule):
    def __init__(self, batch_size: int = 8) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        draw = torch.Generator().manual_seed(1)
        x = torch.randn(160, 3, generator=draw)
        y = x.sum(1, keepdim=True) + 0.1 * torch.randn(160, 1, generator=draw)
        self.train, self.val = TensorDataset(x[:128], y[:128]), TensorDataset(x[128:], y[128:])

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 16)
'''

CONFIG: dict[str, Any] = {
    "seed_everything": 3,
    "trainer": {"max_epochs": 3, "accelerator": "cpu"},  # 48 steps of the batches of 8
    "model": {"class_path": "line.Line", "init_args": {"width": 4}},
    "data": {"class_path": "line.Points", "init_args": {"batch_size": 8}},
    "tune": {
        "space": {
            "lr": {"low": 0.001, "high": 0.3, "log": True},
            "schedule": ["linear", "wsd"],
            "warmup": {"low": 0.01, "high": 0.2},
        },
        "monitor": "val_loss",
        "trials": 4,
        "storage": "sqlite:///runs.db",
        "study": "line",
    },
}


@dataclass(frozen=True)
class Finished:
    """A command that has ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def trained(self) -> list[int]:
        """Numbers of the trials that were started."""
        return [int(number) for number in re.findall(r"^trial (\d+) starts", self.out, re.M)]


@dataclass(frozen=True)
class Command:
    """A command under way; ``notes`` is its folder of notes, see `warm`."""

    notes: Path

    @property
    def pid(self) -> int:
        return int(self._note("pid"))

    @property
    def out(self) -> str:
        return (self.notes / "stdout").read_text("utf-8")

    def send(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def wait(self) -> Finished:
        status = int(self._note("status"))
        err = (self.notes / "stderr").read_text("utf-8")
        return Finished(status, self.out, err)

    def wait_for(self, text: str) -> None:
        """Wait until it has printed ``text``."""
        _until(lambda: text in self.out or (self.notes / "status").exists(), text)
        assert text in self.out, self.wait()

    def end(self) -> None:
        if not (self.notes / "status").exists():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _note(self, name: str) -> str:
        _until((self.notes / name).exists, f"{name} of a command")
        return (self.notes / name).read_text()


@dataclass
class Project:
    """A folder with a model beside a config; commands run in it."""

    folder: Path
    server: "subprocess.Popen[str]"
    commands: list[Command] = field(default_factory=list)

    def configure(self, changes: dict[str, Any] | None = None, name: str = "tune.yaml") -> Path:
        """Write the config; ``changes`` are dotted names and values, None takes a key out."""
        config = json.loads(json.dumps(CONFIG))
        for dotted, value in (changes or {}).items():
            *path, last = dotted.split("/")
            section = config
            for key in path:
                section = section.setdefault(key, {})
            section[last] = value
            if value is None:
                del section[last]
        file = self.folder / name
        file.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        return file

    def change_model(self, *changes: tuple[str, str]) -> None:
        """Write the model with pieces of its text replaced."""
        text = MODEL
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (self.folder / "line.py").write_text(text, "utf-8")

    def start(
        self, *arguments: object, script: str | None = None, tty: str = "", **environment: str
    ) -> Command:
        """Start ``autolr`` (or a script) in the folder; ``tty`` is a terminal for its output."""
        notes = self.folder / f".command_{len(self.commands)}"
        notes.mkdir()
        (notes / "stdout").touch()
        (notes / "stderr").touch()
        request = {
            "arguments": [str(argument) for argument in arguments],
            "script": script,
            "folder": str(self.folder),
            "stdout": tty or str(notes / "stdout"),
            "stderr": tty or str(notes / "stderr"),
            "notes": str(notes),
            "environment": environment,
        }
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        command = Command(notes)
        self.commands.append(command)
        return command

    def run(self, *arguments: object, script: str | None = None, **environment: str) -> Finished:
        return self.start(*arguments, script=script, **environment).wait()

    def tune(self, *arguments: object) -> Finished:
        """Run ``autolr tune tune.yaml`` with more arguments; it must succeed."""
        finished = self.run("tune", "tune.yaml", *arguments)
        assert finished.status == 0, finished
        return finished


@pytest.fixture(scope="session")
def server() -> Iterator["subprocess.Popen[str]"]:
    """The process that commands are forked from."""
    process = subprocess.Popen(
        [sys.executable, str(_HERE / "warm.py")],
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # the model is too small to gain from more
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def project(tmp_path: Path, server: "subprocess.Popen[str]") -> Iterator[Project]:
    """A tiny model, its data, and ``tune.yaml``."""
    made = Project(tmp_path, server)
    made.change_model()
    made.configure()
    yield made
    for command in made.commands:
        command.end()


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited {_PATIENCE:.0f} s for {what}"
        time.sleep(0.02)
