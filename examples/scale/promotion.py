"""Pausing against stopping at equal steps: ``python -m examples.scale.promotion [STUDIES]``.

Random search with Hyperband (eta 3, rungs after a ninth and a third of a run) over recorded runs:
``examples/time_to_target/oracle.csv`` has the validation curves of 108 runs of each workload. Both
variants draw the same runs in the same order; each study ends when its steps are spent. The last
row is a formula whose curves hardly ever cross. Nothing is trained.
"""

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

import pandas as pd

from autolr.study import Hyperband, Resume, Start, TrialStatus, next_action

_BAND = Hyperband(3, 27)
_BUDGETS = (10, 20)  # whole runs
_ORACLE = Path(__file__).parents[1] / "time_to_target" / "oracle.csv"
_COLUMNS = {3: "c2", 9: "c4", 27: "c13"}  # 27ths of a run

Loss: TypeAlias = Callable[[int, int], float]  # of a candidate, after so many steps


@dataclass
class _Run:
    """A study: its trials, what they cost, and the best loss of a whole run."""

    loss: Loss
    pauses: bool
    trials: list[TrialStatus] = field(default_factory=list)
    at: dict[int, int] = field(default_factory=dict)
    steps: int = 0
    best: float = math.inf

    def spend(self, budget: int) -> "_Run":
        """Train until the budget is spent."""
        while self.steps < budget:
            action = next_action(self.trials, 10**6, _BAND)
            if isinstance(action, Start):
                number = len(self.trials)
                self.trials.append(TrialStatus(number, "running", _BAND.bracket_of(number)))
            else:
                assert isinstance(action, Resume)
                number = action.number
            self._train(number)
        return self

    def _train(self, number: int) -> None:
        """Train to the first rung at which the trial is not promoted, or to its end."""
        trial = self.trials[number]
        assert trial.bracket is not None
        for rung in (r for r in _BAND.rungs(trial.bracket) if r > self.at.get(number, 0)):
            self._step(number, rung)
            scores = {**trial.scores, rung: self.loss(number, rung)}
            trial = self.trials[number] = replace(trial, scores=scores)
            others = [
                other.scores[rung]
                for other in self.trials
                if rung in other.scores and other.bracket == trial.bracket and other is not trial
            ]
            if not _BAND.promotes(scores[rung], others):
                waits = self.pauses and math.isfinite(scores[rung])
                self.trials[number] = replace(trial, progress="paused" if waits else "over")
                return
        self._step(number, _BAND.max_steps)
        self.best = min(self.best, self.loss(number, _BAND.max_steps))
        self.trials[number] = replace(trial, progress="over")

    def _step(self, number: int, to: int) -> None:
        self.steps += to - self.at.get(number, 0)
        self.at[number] = to


def _measured(runs: pd.DataFrame, seed: int) -> Loss:
    """Return the losses of measured runs, shuffled by the seed."""
    drawn = runs.sample(frac=1, random_state=seed)
    losses = {at: drawn[column].fillna(math.inf).to_list() for at, column in _COLUMNS.items()}
    return lambda number, step: losses[step][number % len(drawn)]


def _formula(seed: int) -> Loss:
    """Return losses whose order at a rung is nearly that at the end."""

    def loss(number: int, step: int) -> float:
        draw = random.Random(f"{seed} {number}")
        speed, floor = draw.uniform(0.3, 1.5), draw.gauss(0, 1)
        noise = random.Random(f"{seed} {number} {step}").gauss(0, 0.1)
        return 3 + floor + 0.6 * speed + 6 / math.pow(1 + 3 * speed * step, 0.7) + noise

    return loss


def _compare(label: str, made: Callable[[int], Loss], runs: int, studies: int) -> int:
    """Print a row; return the number of steps that were trained twice."""
    pairs = [
        tuple(_Run(made(seed), pauses).spend(runs * _BAND.max_steps) for pauses in (True, False))
        for seed in range(studies)
    ]
    paused, stopped = (fmean(pair[i].best for pair in pairs) for i in (0, 1))
    better = sum(ours.best < theirs.best for ours, theirs in pairs)
    worse = sum(ours.best > theirs.best for ours, theirs in pairs)
    print(f"{label:20}{runs:5}{paused:10.4f}{stopped:10.4f}{better:8}{worse:7}")
    return sum(run.steps - sum(run.at.values()) for pair in pairs for run in pair)


def main(studies: int) -> None:
    """Run the studies both ways and print the comparison."""
    measured = pd.read_csv(_ORACLE)
    repeated = 0
    print(f"best loss, mean of {studies} studies; of how many pausing is better, worse")
    print(f"{'':20}{'runs':>5}{'pausing':>10}{'stopping':>10}{'better':>8}{'worse':>7}")
    for runs in _BUDGETS:
        for workload, table in measured.groupby("workload"):
            made = partial(_measured, table)
            repeated += _compare(str(workload), made, runs, studies)
        repeated += _compare("(formula)", _formula, runs, studies)
    print(f"steps trained twice: {repeated}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
