"""Kill at random, by SIGKILL: ``python -m examples.scale.chaos [TRIALS [KILLS [WORKERS]]]``.

A study of a tiny model, whose first trial searches its own peak. Every second or so, the script
kills a random worker, or the driver, which it starts again by the same command. At the end no trial
may be lost, trained twice or left over.
"""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autolr.study import SEARCHED, Lease, Summary, TrialRecord, peek

_MODEL = """\
import time

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def training_step(self, batch):
        time.sleep(0.01)
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Points(LightningDataModule):
    def setup(self, stage):
        x = torch.randn(160, 3, generator=torch.Generator().manual_seed(1))
        self.data = TensorDataset(x, x.sum(1, keepdim=True))

    def train_dataloader(self):
        return DataLoader(self.data, 8, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.data, 32)
"""
_CONFIG = """\
seed_everything: 3
trainer: {max_epochs: 20, accelerator: cpu}
model: {class_path: chaos_line.Line}
data: {class_path: chaos_line.Points}
tune:
  space: {lr: {low: 0.001, high: 0.3, log: true}, schedule: [linear, wsd]}
  trials: TRIALS
  storage: sqlite:///runs.db
  study: chaos
"""
_PATIENCE = 1800.0  # seconds for the whole study, which takes minutes


def write_project(folder: Path, trials: int) -> None:
    """Write a tiny model, its data and a study's config into a folder."""
    (folder / "chaos_line.py").write_text(_MODEL)
    (folder / "tune.yaml").write_text(_CONFIG.replace("TRIALS", str(trials)))


@dataclass
class Chaos:
    """A running study in a folder, and the kills so far."""

    folder: Path
    workers: int
    kills: Counter[str] = field(default_factory=Counter)
    orphaned: list[float] = field(default_factory=list)  # seconds that workers outlive a driver
    freed: list[float] = field(default_factory=list)  # until the trial of a dead worker is free
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the command, as a user would, and keep its output."""
        command = ["-m", "autolr", "tune", "tune.yaml", "--workers", str(self.workers)]
        with (self.folder / "stdout.txt").open("ab") as out:
            return subprocess.Popen([sys.executable, *command], cwd=self.folder, stdout=out)

    def look(self) -> Summary | None:
        """Return the study as it is stored."""
        return peek(f"sqlite:///{self.folder}/runs.db", "chaos")

    def holders(self) -> list[Lease]:
        """Return the workers that hold a trial in the study, dead or alive."""
        summary = self.look()
        trials = () if summary is None else summary.trials
        workers = [
            t.attrs["worker"] for t in trials if t.state == "RUNNING" and "worker" in t.attrs
        ]
        return [Lease.from_dict(one) for one in workers]

    def kill(self, driver: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
        """Kill the driver on every fourth call, else a worker; return the running driver."""
        workers = [lease for lease in self.holders() if lease.held]
        if not workers:
            return driver
        if self.kills.total() % 4:
            victim = self.draw.choice(workers)
            with suppress(ProcessLookupError):  # the study has just ended
                os.kill(victim.pid, signal.SIGKILL)
            self.freed.append(_seconds_until(lambda: victim not in self.holders()))
            self.kills["worker"] += 1
            return driver
        driver.kill()
        driver.wait()
        self.orphaned.append(_seconds_until(lambda: not any(lease.held for lease in workers)))
        self.kills["driver"] += 1
        return self.start()

    def run(self, kills: int) -> None:
        """Run the study to its end, with ``kills`` kills on the way."""
        driver = self.start()
        end = time.monotonic() + _PATIENCE
        while driver.poll() is None:
            assert time.monotonic() < end, "the study does not end"
            time.sleep(self.draw.uniform(0.3, 1.5))
            if self.kills.total() < kills:
                driver = self.kill(driver)
        assert driver.returncode == 0, (self.folder / "stdout.txt").read_text()[-2000:]

    def check(self, trials: int) -> tuple[TrialRecord, ...]:
        """Check that no trial was lost, trained twice to the end, or left over."""
        summary = self.look()
        assert summary is not None
        states = Counter(trial.state for trial in summary.trials)
        assert states["COMPLETE"] + states["PRUNED"] == trials == len(summary.trials), states
        output = (self.folder / "stdout.txt").read_text()
        acknowledged = re.findall(r"^trial (\d+) ends: val_loss (\S+)", output, re.M)
        assert Counter(number for number, _ in acknowledged).most_common(1)[0][1] == 1
        for number, value in acknowledged:
            kept = summary.trials[int(number)].value
            assert kept is not None
            assert f"{kept:.4g}" == value
        scores = re.findall(r"^trial (\d+) after (\d+) steps: val_loss (\S+)", output, re.M)
        for number, step, score in scores:
            assert f"{summary.trials[int(number)].scores[int(step)]:.4g}" == score
        whole = [tuple(t.params.items()) for t in summary.trials if t.state == "COMPLETE"]
        assert len(set(whole)) == len(whole)
        assert not any("attempts" in trial.attrs for trial in summary.trials)
        assert summary.trials[0].attrs.get(SEARCHED), "the first trial has found no peak"
        print(f"{trials} finished: {dict(states)}; killed {dict(self.kills)}")
        print(f"acknowledged: {len(acknowledged)} ends and {len(scores)} scores, 0 lost")
        print(f"restarts of trials: {sum(t.attrs.get('restarts', 0) for t in summary.trials)}")
        if self.orphaned:
            print(f"a dead driver's workers were gone after {max(self.orphaned):.2f} s at most")
        if self.freed:
            print(f"a dead worker's trial was free after {max(self.freed):.2f} s at most")
        return summary.trials


def _seconds_until(true: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < _PATIENCE, "a killed process is never released"
        time.sleep(0.01)
    return time.monotonic() - began


def main(trials: int = 40, kills: int = 20, workers: int = 4) -> None:
    """Run a study, kill its processes, and print the outcome.

    Args:
        trials: Of the study.
        kills: Processes to kill.
        workers: Trials at a time.
    """
    with tempfile.TemporaryDirectory() as name:
        chaos = Chaos(Path(name), workers)
        write_project(chaos.folder, trials)
        chaos.run(kills)
        chaos.check(trials)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
