"""The table of rules: quality as they come and with their peak searched."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from autolr import rules
from examples.rules.runs import SEARCHED
from examples.time_to_target.oracle import Oracle

_WORST = 100.0  # final / oracle of a run that diverged; a worse one counts as this


def markdown(runs: pd.DataFrame, oracles: Mapping[str, Oracle]) -> str:
    """Return a line for each rule that has runs, families together.

    Args:
        runs: Rows of `examples.rules.runs.measure`.
        oracles: By workload.
    """
    header = ["rule", "family", *oracles, "all", "evaluations / T", "searched", "evaluations / T"]
    lines = [_line(header), _line(["---"] * len(header))]
    for name in rules.names():
        plain, searched = (runs[runs.method == name + end] for end in ("", SEARCHED))
        if not plain.empty:
            lines.append(
                _line([name, rules.record(name).family, *_cells(plain, searched, oracles)])
            )
    return "\n".join(lines)


def _cells(plain: pd.DataFrame, searched: pd.DataFrame, oracles: Mapping[str, Oracle]) -> list[str]:
    by_task = [_mean(plain[plain.workload == name], oracles) for name in oracles]
    searches = [_mean(searched, oracles), _price(searched)]
    if not rules.record(str(plain.method.iloc[0])).peak.searched:
        searches = ["not searched", ""]
    return [*by_task, _mean(plain, oracles), _price(plain), *searches]


def _mean(runs: pd.DataFrame, oracles: Mapping[str, Oracle]) -> str:
    """Return the geometric mean of final / oracle; with how many runs diverged, if any did."""
    if runs.empty:
        return ""
    ends = zip(runs.workload, runs.final, strict=True)
    ratios = [min(final / oracles[name].loss, _WORST) for name, final in ends]
    lost = int(runs.diverged.sum())
    return f"{np.exp(np.log(ratios).mean()):.2f}" + (f" ({lost} diverged)" if lost else "")


def _price(runs: pd.DataFrame) -> str:
    return "" if runs.empty else f"{(runs.evaluations / runs.run_steps).mean():.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
