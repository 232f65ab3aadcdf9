"""What studies came to, a row for each run that ended, and the table over them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from examples.time_to_target.peers.budget import Budget

KEY = ("method", "workload", "seed")
COLUMNS = (*KEY, "runs", "spent", "loss")
_LOST = 100.0  # what a study without a finished run counts as, over the oracle


def load(path: Path) -> pd.DataFrame:
    """Return the rows of a file; none where there is no file."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(COLUMNS))


def append(path: Path, method: str, seed: int, workload: str, budget: Budget) -> None:
    """Add the rows of a study: one at least, since its budget is in every row."""
    new = not path.exists()
    ended = [(one.spent, one.loss) for one in budget.ended] or [(budget.spent, np.inf)]
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(COLUMNS)
        for spent, loss in ended:
            key = (method, workload, seed, budget.runs)
            writer.writerow([*key, f"{spent:.4f}", f"{loss:.6g}"])


def table(rows: pd.DataFrame, oracles: Mapping[str, float], budgets: Sequence[float]) -> str:
    """Return final / oracle in Markdown, geometric means over the studies that all methods have.

    A cell is empty where a study had less than that budget.

    Args:
        rows: As of `load`.
        oracles: The loss of each workload's oracle.
        budgets: In runs, a column each.
    """
    studies = dict(list(rows.groupby(list(KEY))))
    by_method = {m: {key[1:] for key in studies if key[0] == m} for m in rows.method.unique()}
    common = sorted(set.intersection(*by_method.values())) if by_method else []
    lines = [f"| | studies | {' | '.join(f'{runs:g} T' for runs in budgets)} |"]
    lines.append(f"|{' --- |' * (len(budgets) + 2)}")
    for method in by_method:
        logs = [
            [
                np.log(min(_reached(studies[method, *key], runs) / oracles[str(key[0])], _LOST))
                for runs in budgets
            ]
            for key in common
        ]
        spent = [studies[method, *key].runs.max() for key in common]
        means = np.exp(np.mean(logs, axis=0))
        cells = " | ".join(
            f"{mean:.3f}" if runs <= min(spent) else ""  # where a study was stopped before
            for mean, runs in zip(means, budgets, strict=True)
        )
        lines.append(f"| {method} | {len(common)} | {cells} |")
    return "\n".join(lines)


def _reached(study: pd.DataFrame, runs: float) -> float:
    within = study[study.spent <= runs]
    return float(within.loss.min()) if len(within) else float("inf")
