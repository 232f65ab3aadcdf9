"""The harm of methods on the workloads, and their finals in units of the defaults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from rich.table import Table

from examples.harm import Harm
from examples.time_to_target.hard_oracle import DEFAULT, load_hard_oracle
from examples.time_to_target.oracle import Oracle

Defaults = Mapping[tuple[str, int], float]
"""The final of the user's own run, by workload and seed."""

WORST_RATIO = 100.0  # a run that diverged counts as so many times what it is compared with


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
    return Harm.of(name, [finals[key] for key in keys], [defaults[key] for key in keys])


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
            line.task,
            f"{line.default:.4g}",
            f"{line.final:.4g}",
            line.paired_difference,
            str(line.seeds),
            line.verdict,
        )
    return made
