"""The table: quality against price of each method, over workloads and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.table import Table

from examples.time_to_target.harm import WORST_RATIO, Defaults, Ratios, ratios
from examples.time_to_target.oracle import Oracle

WORST_REGRET = 10.0  # R at most, so that one lost run does not decide a mean alone

_HEADERS = (
    "method",
    "final / oracle",
    "mean R",
    "worst task",
    "test / oracle's test",
    "harm",
    "at goal",
    "steps / T",
    "validation passes",
    "wall s",
    "outside",
    "diverged",
)


@dataclass(frozen=True)
class Line:
    """A method's row.

    Attributes:
        method: Its name.
        ratio: Geometric mean of final / oracle, each at most `WORST_RATIO`.
        regret: Mean of R, each at most `WORST_REGRET`.
        worst: Mean ratio over seeds of the workload where it is largest.
        worst_task: That workload.
        test: Geometric mean of test / the oracle's test, over tasks that have a test split; NaN
            without any.
        harm: Final / the user's default; None where no default is known.
        at_goal: Share of runs that reach the goal.
        price: All optimizer steps over those of a run, mean.
        trained_price: Of them, only those that made the final model.
        passes: Validation passes, mean.
        seconds: Wall seconds of a run, mean; NaN for replays.
        outside: Share of the time outside training and validation.
        diverged: Runs that diverged.
        runs: Runs in all.
    """

    method: str
    ratio: float
    regret: float
    worst: float
    worst_task: str
    test: float
    harm: Ratios | None
    at_goal: float
    price: float
    trained_price: float
    passes: float
    seconds: float
    outside: float
    diverged: int
    runs: int


def lines(
    results: pd.DataFrame,
    oracles: Mapping[str, Oracle],
    methods: Sequence[str],
    defaults: Defaults | None = None,
) -> list[Line]:
    """Return a line for each method that has runs on the workloads of ``oracles``.

    Args:
        results: Rows of results.csv.
        oracles: By workload.
        methods: In the order of the table.
        defaults: The users' own runs, to measure harm by.
    """
    known = results[results.workload.isin(list(oracles))]
    return [
        _line(method, runs, oracles, defaults or {})
        for method in methods
        if not (runs := known[known.method == method]).empty
    ]


def _line(
    method: str, runs: pd.DataFrame, oracles: Mapping[str, Oracle], defaults: Defaults
) -> Line:
    finals = list(zip(runs.workload, runs.final, strict=True))
    scores = pd.Series([min(oracles[w].ratio(f), WORST_RATIO) for w, f in finals])
    regrets = [min(oracles[w].regret(f), WORST_REGRET) for w, f in finals]
    by_task = scores.groupby(runs.workload.to_numpy()).mean()
    seconds = float(runs.seconds.sum(min_count=1))
    return Line(
        method=method,
        ratio=float(np.exp(np.log(scores).mean())),
        regret=float(np.mean(regrets)),
        worst=float(by_task.max()),
        worst_task=str(by_task.idxmax()),
        test=_test(runs, oracles),
        harm=ratios(runs, defaults, oracles),
        at_goal=float(np.mean([f <= oracles[w].goal for w, f in finals])),
        price=float((runs.total_steps / runs.run_steps).mean()),
        trained_price=float((runs.trained_steps / runs.run_steps).mean()),
        passes=float(runs.validation_passes.mean()),
        seconds=float(runs.seconds.mean()),
        outside=1 - float(runs.busy_seconds.sum(min_count=1)) / seconds,
        diverged=int(runs.diverged.sum()),
        runs=len(runs),
    )


def _test(runs: pd.DataFrame, oracles: Mapping[str, Oracle]) -> float:
    """Return the geometric mean of test / the oracle's test; a lost run has the worst ratio."""
    rows = zip(runs.workload, runs.test, runs.diverged, strict=True)
    known = [
        WORST_RATIO if lost else min(oracles[name].test_ratio(test), WORST_RATIO)
        for name, test, lost in rows
        if not np.isnan(oracles[name].test) and (lost or not np.isnan(test))
    ]
    return float(np.exp(np.log(known).mean())) if known else np.nan


def _harm_cell(harm: Ratios | None) -> str:
    if harm is None:
        return ""
    error = "" if np.isnan(harm.error) else f" ± {harm.error:.3f}"
    return f"{harm.mean:.3f}{error}, {harm.worst:.2f} {harm.worst_task}"


def cells(line: Line) -> tuple[str, ...]:
    """Return what is printed of a line, a text per column."""
    return (
        line.method,
        f"{line.ratio:.3f}",
        f"{line.regret:.2f}",
        f"{line.worst:.2f} {line.worst_task}",
        "" if np.isnan(line.test) else f"{line.test:.3f}",
        _harm_cell(line.harm),
        f"{line.at_goal:.0%}",
        f"{line.price:.2f}" + ("*" if line.method == "autolrs" else ""),
        f"{line.passes:.0f}",
        "replayed" if np.isnan(line.seconds) else f"{line.seconds:.1f}",
        "" if np.isnan(line.outside) else f"{line.outside:.0%}",
        f"{line.diverged} of {line.runs}",
    )


def footnote(table: Sequence[Line]) -> str:
    """Return the footnote of the row of AutoLRS; empty without that row."""
    for line in table:
        if line.method == "autolrs":
            return (
                f"* counting trained steps only, as its publication does: {line.trained_price:.2f}"
            )
    return ""


def rich_table(table: Sequence[Line]) -> Table:
    """Return the table for a terminal."""
    made = Table(*_HEADERS, caption=footnote(table) or None)
    for column in made.columns[1:]:
        column.justify = "right"
    for line in table:
        made.add_row(*cells(line))
    return made


def markdown(table: Sequence[Line]) -> str:
    """Return the table for a README."""
    rows = [_HEADERS, ("---",) * len(_HEADERS), *(cells(line) for line in table)]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    note = footnote(table)
    return f"{text}\n\n\\{note}" if note else text
