"""Harm: what a method ends at, against the run that the user had without it.

Both have the same steps, seed and batches. A task is worse where the mean over seeds is above the
default's by more than 1 % and more than one standard error of the paired difference.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.table import Table

from examples.time_to_target.hard_oracle import DEFAULT, load_hard_oracle
from examples.time_to_target.oracle import Oracle

Defaults = Mapping[tuple[str, int], float]
"""The final of the user's own run, by workload and seed."""

WORST_RATIO = 100.0  # a run that diverged counts as so many times what it is compared with
_TOLERANCE = 0.01  # of the default


@dataclass(frozen=True)
class Harm:
    """A method against the default on one task, over the seeds that both have.

    Attributes:
        workload: The task.
        default: Mean final of the default.
        final: Mean final of the method.
        difference: Mean of final - default, paired by seed.
        error: Its standard error; 0 with one seed.
        seeds: How many.
    """

    workload: str
    default: float
    final: float
    difference: float
    error: float
    seeds: int

    @property
    def verdict(self) -> str:
        """Return "worse", "better", or "equal" where the difference is within the margin."""
        margin = max(_TOLERANCE * abs(self.default), self.error)
        if math.isnan(self.difference):  # both diverged
            return "equal"
        if abs(self.difference) <= margin:
            return "equal"
        return "worse" if self.difference > 0 else "better"


def defaults_of(results: pd.DataFrame, scale: float) -> dict[tuple[str, int], float]:
    """Return the finals of the users' own runs: those in the results, else the stored ones."""
    known: dict[tuple[str, int], float] = {}
    if scale == 1:
        stored = load_hard_oracle()
        known |= _finals(stored[stored.profile == DEFAULT])
    return known | _finals(results[results.method == "default"])


def _finals(runs: pd.DataFrame) -> dict[tuple[str, int], float]:
    rows = zip(runs.workload, runs.seed, runs.final, strict=True)
    return {(str(name), int(seed)): float(final) for name, seed, final in rows}


def harms(runs: pd.DataFrame, defaults: Defaults) -> list[Harm]:
    """Return the harm of one method's runs, a line a task, for tasks with defaults."""
    return [
        _harm(str(name), _finals(each), defaults)
        for name, each in runs.groupby("workload", sort=False)
        if any(key in defaults for key in _finals(each))
    ]


def _harm(name: str, finals: Defaults, defaults: Defaults) -> Harm:
    keys = [key for key in finals if key in defaults]
    ours, theirs = (np.array([of[key] for key in keys]) for of in (finals, defaults))
    with np.errstate(invalid="ignore"):  # of runs that diverged
        differences = ours - theirs
        error = differences.std(ddof=1) / math.sqrt(len(keys)) if len(keys) > 1 else 0.0
    return Harm(
        workload=name,
        default=float(theirs.mean()),
        final=float(ours.mean()),
        difference=float(differences.mean()),
        error=0.0 if math.isnan(error) else float(error),
        seeds=len(keys),
    )


@dataclass(frozen=True)
class Ratios:
    """Final / default of one method, over tasks and seeds.

    Attributes:
        mean: Mean over seeds of the mean over tasks.
        error: Its standard error over seeds; NaN with one seed.
        worst: The largest mean over seeds of a task.
        worst_task: That task.
    """

    mean: float
    error: float
    worst: float
    worst_task: str


def ratios(runs: pd.DataFrame, defaults: Defaults, oracles: Mapping[str, Oracle]) -> Ratios | None:
    """Return the ratios of one method's runs; None where no default is known."""
    rows = [
        (name, seed, _ratio(final, defaults[name, seed], oracles[name].softening))
        for (name, seed), final in _finals(runs).items()
        if (name, seed) in defaults
    ]
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=["workload", "seed", "ratio"])
    by_seed = table.groupby("seed").ratio.mean()
    by_task = table.groupby("workload").ratio.mean()
    return Ratios(
        mean=float(by_seed.mean()),
        error=float(by_seed.std(ddof=1) / math.sqrt(len(by_seed))),
        worst=float(by_task.max()),
        worst_task=str(by_task.idxmax()),
    )


def _ratio(final: float, default: float, softening: float) -> float:
    ratio = (final + softening) / (default + softening)
    return WORST_RATIO if math.isnan(ratio) else min(ratio, WORST_RATIO)


def rich_table(method: str, lines: list[Harm]) -> Table:
    """Return the table of a method's harm for a terminal."""
    made = Table("task", "default", method, "paired difference ± se", "seeds", "verdict")
    for column in made.columns[1:-1]:
        column.justify = "right"
    for line in lines:
        made.add_row(
            line.workload,
            f"{line.default:.4g}",
            f"{line.final:.4g}",
            f"{line.difference:+.3g}" + (f" ± {line.error:.2g}" if line.seeds > 1 else ""),
            str(line.seeds),
            line.verdict,
        )
    return made
