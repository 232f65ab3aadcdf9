"""Tuners, replayed on the oracle's stored curves, or run for real.

A candidate of a replay is the run of the grid that is nearest: its peak in log rate, its profile.
Its stored curve is what the pruner sees at 1/27, 1/9, 1/3 and the whole of the run, and its
steps count up to where it is stopped. A study keeps one seed of the workload, as a user
would, and chooses by the validation loss that is also reported; so do the oracle and all others.
"""

import dataclasses
import math
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Protocol

import pandas as pd
from torch import nn

from examples.time_to_target.loop import PROFILES, train
from examples.time_to_target.oracle import CURVE, load_oracle
from examples.time_to_target.outcome import Ledger, Outcome
from examples.time_to_target.studies import (
    Report,
    Source,
    StudyResult,
    gaussian_process,
    tpe_hyperband,
)
from examples.time_to_target.workloads import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.time_to_target.tasks_base import Task

REPLAYS = 20


class Tuner(Protocol):
    """A study over a source's runs, reproducible by its seed."""

    def __call__(self, source: Source, *, seed: int) -> StudyResult:
        """Run the study."""


TUNERS: dict[str, Tuner] = {
    **{f"tpe_hyperband_{n}": partial(tpe_hyperband, runs=n) for n in (3, 5, 10)},
    **{f"gp_{n}": partial(gaussian_process, runs=n) for n in (5, 10)},
}


class Recording:
    """The grid's runs of one workload at one seed.

    Args:
        grid: Rows of the oracle's table.
        steps: Of a whole run.

    Raises:
        LookupError: If there are none.
    """

    def __init__(self, grid: pd.DataFrame, steps: int) -> None:
        if grid.empty:
            raise LookupError("the oracle has no runs of this workload and seed to replay")
        self.steps = steps
        self._curves: dict[tuple[float, str], list[float]] = {}
        self._steps: dict[tuple[float, str], int] = {}
        for row in grid.to_dict("records"):
            key = float(row["peak"]), str(row["profile"])
            curve = [float(row[column]) for column in CURVE[:-1]]  # rounded, unlike the final
            self._curves[key] = [*curve, float(row["final"])]
            self._steps[key] = int(row["steps"])
        peaks = [peak for peak, _ in self._curves]
        self.low, self.high = min(peaks), max(peaks)

    def run(self, peak: float, profile: str, report: Report) -> int:
        """Replay the nearest run, up to where it diverged if it did."""
        near = min(
            (key for key in self._curves if key[1] == profile),
            key=lambda key: abs(math.log(key[0] / peak)),
        )
        for number, loss in enumerate(self._curves[near]):
            report(number, loss)
            if not math.isfinite(loss):
                break
        return self._steps[near]


class Training:
    """Runs of a workload at one seed, trained for real.

    Args:
        name: The workload.
        seed: Its seed.
        scale: Of its length.

    Attributes:
        ledger: Counts the time of the runs.
    """

    def __init__(self, name: str, seed: int, scale: float) -> None:
        self._make: Callable[[], Task] = partial(make, name, seed, scale)
        task = self._make()
        self.steps, self.low, self.high = task.steps, min(task.peaks), max(task.peaks)
        self.ledger = Ledger()

    def run(self, peak: float, profile: str, report: Report) -> int:
        """Train in the plain loop."""
        task = self._make()
        validate, passes = task.validate, 0

        def reporting(model: nn.Module) -> float:
            nonlocal passes
            loss = validate(model)
            passes += 1
            if passes > 1:  # the first is before the first step
                report(passes - 2, loss if math.isfinite(loss) else math.inf)
            return loss

        reported = dataclasses.replace(task, validate=reporting)
        with self.ledger.busy():  # a run that is stopped returns no steps
            return train(reported, task.make_optimizer(peak), PROFILES[profile]).steps


def replayed(tuner: str, name: str, seed: int, scale: float) -> Outcome:
    """Return the median outcome of 20 replays, whose samplers have the seeds 0 to 19."""
    grid = load_oracle(scale)
    rows = grid[(grid.workload == name) & (grid.seed == seed)]
    recording = Recording(rows, make(name, seed, scale).steps)
    studies = [TUNERS[tuner](recording, seed=replay) for replay in range(REPLAYS)]
    final = median(each.final for each in studies)
    return Outcome(
        final=final,
        peak=median(each.peak for each in studies),
        total_steps=round(median(each.total_steps for each in studies)),
        trained_steps=recording.steps,
        validation_passes=round(median(each.validation_passes for each in studies)),
        seconds=math.nan,
        busy_seconds=math.nan,
        diverged=not math.isfinite(final),
    )


def live(tuner: str, name: str, seed: int, scale: float) -> Outcome:
    """Return the outcome of one study that trains; any peak, the sampler has the seed 0."""
    source = Training(name, seed, scale)
    ledger = source.ledger
    with ledger.counting():
        study = TUNERS[tuner](source, seed=0)
    ledger.validation_passes = study.validation_passes
    lost = not math.isfinite(study.final)
    return ledger.outcome(study.final, study.peak, source.steps, lost=lost)
