"""Runs whose early scores are compared with what they end at; forecasts.csv keeps them.

Per task and seed the five peaks of a race, each to the end under the default schedule, and copies
of the middle one that continue at half and at twice its rate from the begin of a check on.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from autolr import TorchLearner, schedules
from autolr.runtime.average import Average
from examples.time_to_target.loop import is_lost
from examples.time_to_target.tasks_base import CUSTOMARY, Batches, Task
from examples.time_to_target.workloads import make

RACE, CHECKS = 0.025, ((0.09, 0.115), (0.20, 0.23))
"""Shares of a run: the end of the race; begin and end of the checks that do not refine."""

BEFORE_CHECKS = (0.045, 0.115)
"""When the run was scored last before each."""

MARKS = (
    *(0.008, 0.015, RACE, 0.035, 0.045, 0.06, 0.075, 0.09, 0.098, 0.107, 0.115),
    *(0.15, 0.175, 0.20, 0.21, 0.22, 0.23),
)
"""When a run is scored, in shares of it."""

_PRESENT, _AVERAGED = ([f"{kind}{k}" for k in range(len(MARKS))] for kind in "pa")
_KEY = ["workload", "seed", "peak", "factor", "at"]
_COLUMNS = [*_KEY, "final", "initial", *_PRESENT, *_AVERAGED]
_WINDOW, _LONGEST = 0.3, 0.015  # averaged: of the steps so far, and of the run at most
_FILE = Path(__file__).with_name("forecasts.csv")


@dataclass(frozen=True)
class RunKey:
    """One run.

    Attributes:
        workload: Its task.
        seed: Of the task.
        peak: Of the default schedule.
        factor: Of the rates from ``at`` on.
        at: A share of the run; 0: the factor is 1.
    """

    workload: str
    seed: int
    peak: float
    factor: float = 1.0
    at: float = 0.0


@dataclass(frozen=True)
class ScoredRun:
    """A run with its scores.

    Attributes:
        key: What it is.
        final: What it ends at, which a task is judged by.
        initial: The score of the untrained model.
        present: The score of the weights at each of MARKS; infinite where the run was lost.
        averaged: The same of the average of the last weights.
    """

    key: RunKey
    final: float
    initial: float
    present: tuple[float, ...]
    averaged: tuple[float, ...]


def keys_of(workload: str, seed: int) -> list[RunKey]:
    """Return the runs of a task at a seed."""
    middle = CUSTOMARY[make(workload, seed).optimizer]
    race = [RunKey(workload, seed, middle * 4.0**k) for k in range(-2, 3)]
    starts = [start for start, _ in CHECKS]
    rivals = [RunKey(workload, seed, middle, *each) for each in product((0.5, 2.0), starts)]
    return race + rivals


def stored() -> list[ScoredRun]:
    """Return the runs that have been made."""
    if not _FILE.exists():
        return []
    runs = []
    for row in pd.read_csv(_FILE)[_COLUMNS].itertuples(index=False, name=None):
        key, (final, initial), scores = row[: len(_KEY)], row[len(_KEY) :][:2], row[len(_KEY) + 2 :]
        present, averaged = scores[: len(MARKS)], scores[len(MARKS) :]
        runs.append(ScoredRun(RunKey(*key), final, initial, present, averaged))
    return runs


def compute(workloads: Iterable[str], seeds: Sequence[int]) -> None:
    """Make the runs that are not stored, one after the other."""
    present = {run.key for run in stored()}
    units = [key for each in product(workloads, seeds) for key in keys_of(*each)]
    for key in units:
        if key not in present:
            row = pd.DataFrame([_row(train(key))], columns=_COLUMNS)
            row.to_csv(_FILE, mode="a", header=not _FILE.exists(), index=False)


def _row(run: ScoredRun) -> list[object]:
    scores = [float(f"{score:.6g}") for score in (*run.present, *run.averaged)]
    return [*astuple(run.key), run.final, run.initial, *scores]


def multipliers(total_steps: int, key: RunKey) -> NDArray[np.float64]:
    """Return the rates of a run in units of its peak, by step."""
    rise = max(2, round(RACE * total_steps) // 3)
    schedule = schedules.warmup(rise) | schedules.constant() | schedules.cooldown(0.4, "linear")
    values = schedule.values(total_steps).astype(np.float64)
    values[round(key.at * total_steps) :] *= key.factor
    return values


def train(key: RunKey) -> ScoredRun:
    """Train a run to its end."""
    torch.set_num_threads(1)
    torch.manual_seed(key.seed)
    task = make(key.workload, key.seed)
    scoring = _Scoring(task, task.make_optimizer(1.0))
    initial = task.validate(task.model)
    untrained = scoring.present()
    for step, multiplier in enumerate(multipliers(task.steps, key)):
        if not scoring.step(step, key.peak * multiplier):
            break
    final = task.validate(task.model)
    lost = scoring.lost or is_lost(final, initial)
    pad = (math.inf,) * (len(MARKS) - len(scoring.scores))
    present, averaged = zip(*scoring.scores, strict=True) if scoring.scores else ((), ())
    return ScoredRun(
        key, math.inf if lost else final, untrained, (*present, *pad), (*averaged, *pad)
    )


class _Scoring:
    """The steps of a run, with its scores at MARKS."""

    def __init__(self, task: Task, optimizer: torch.optim.Optimizer) -> None:
        self.scores: list[tuple[float, float]] = []
        self.lost = False
        self._optimizer = optimizer
        self._steps = task.steps
        self._due = [max(2, round(mark * task.steps)) for mark in MARKS]
        self._averages: dict[int, Average] = {}
        self._learner = TorchLearner(
            task.model,
            optimizer,
            Batches(task),
            task.loss,
            validate=lambda _: [float(task.monitored(batch, 0)) for batch in task.validation],
            clip=task.clip,
        )

    def present(self) -> float:
        """Return the score of the weights in place."""
        score = self._learner.validate()
        assert score is not None
        return score.value

    def step(self, step: int, rate: float) -> bool:
        """Take a step, counted from 0, and score the run where that is due; False: it is lost."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._learner.next_batch()
        self.lost = not math.isfinite(float(self._learner.train()))
        for due in self._due:
            self._average(due, step + 1)
        if step + 1 in self._averages and not self.lost:
            with self._averages.pop(step + 1).in_place(self._learner.forward):
                averaged = self.present()
            self.scores.append((self.present(), averaged))
        return not self.lost

    def _average(self, due: int, done: int) -> None:
        window = max(2, round(min(_WINDOW * due, _LONGEST * self._steps)))
        if not due - window < done <= due:
            return
        if due not in self._averages:
            self._averages[due] = Average(self._learner.model, self._optimizer, window)
        self._averages[due].add()
