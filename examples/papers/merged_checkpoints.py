"""Merged checkpoints of a run at a constant rate, against cooldowns that were trained.

    python -m examples.papers.merged_checkpoints [--tasks NAME ...] [--seeds 3 4 5] [--stored]

makes the runs that merged_checkpoints.csv lacks (with --stored: none) and prints the tables of
merged_checkpoints.md, which says what they mean. The oracle chose the peaks on seeds 0, 1 and 2;
these are others.

Source: Tian et al. 2025, "WSM: decay-free learning rate schedule via checkpoint merging",
arXiv:2507.17634.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import pandas as pd

from examples.papers.merged_runs import SHAPES, SHARES, compute, stored

TASKS = ("mf_movielens", "logreg_digits", "mlp_flights", "autoencoder_mnist5k", "cnn_mnist5k")
_FINE, _COARSE = "merged every 1 %", "merged every 5 %"
_WSD = ("linear", 20)  # the customary cooldown


class Scored:
    """The scores of a task at a seed.

    Args:
        rows: Of merged_checkpoints.csv.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        self.constant = float(rows[rows.kind == "constant"].score.iloc[0])
        self.cooled, self.fine, self.coarse = (
            rows[rows.kind == kind].set_index(["shape", "share"]).score
            for kind in ("cooled", _FINE, _COARSE)
        )

    def rank(self, kind: str, shape: str | None = None, share: int | None = None) -> float:
        """Return Spearman's correlation of merges with cooldowns.

        Args:
            kind: Which merges.
            shape: The only one; None: all.
            share: The only one; None: all.
        """
        both = pd.DataFrame({"a": getattr(self, kind), "b": self.cooled}).reset_index()
        if shape is not None:
            both = both[both["shape"] == shape]
        if share is not None:
            both = both[both["share"] == share]
        return float(both["a"].rank().corr(both["b"].rank()))

    def excess(self, choice: tuple[str, int]) -> float:
        """Return the score of a cooldown over that of the best one.

        Args:
            choice: Its shape and share.
        """
        return float(self.cooled[choice] / self.cooled.min())

    def chosen(self, kind: str) -> tuple[str, int]:
        """Return the shape and share that merges choose.

        Args:
            kind: Which merges.
        """
        return cast("tuple[str, int]", getattr(self, kind).idxmin())


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.log(values).mean()))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _by_task(
    scored: dict[str, list[Scored]],
    columns: dict[str, Callable[[Scored], float]],
    mean: Callable[[Sequence[float]], float],
) -> Iterator[str]:
    """Yield a table with the means over seeds of each task, and over tasks."""
    means = {
        name: [mean([column(each) for each in runs]) for column in columns.values()]
        for name, runs in scored.items()
    }
    over = [mean(values) for values in zip(*means.values(), strict=True)]
    seeds = {name: str(len(runs)) for name, runs in scored.items()}
    rows = [
        [name, seeds.get(name, ""), *(f"{value:.3f}" for value in values)]
        for name, values in (*means.items(), ("all", over))
    ]
    yield from _table(["task", "seeds", *columns], rows)


def tables(scored: dict[str, list[Scored]]) -> Iterator[str]:
    """Yield the lines of all tables.

    Args:
        scored: By task, one for each seed.
    """
    yield "Spearman's rank correlation of merges with cooldowns, mean over seeds:\n"
    yield from _by_task(
        scored,
        {
            "all 12": lambda s: s.rank("fine"),
            "lengths, linear": lambda s: s.rank("fine", shape="linear"),
            "shapes, 20 %": lambda s: s.rank("fine", share=20),
            "all 12, a merge every 5 %": lambda s: s.rank("coarse"),
        },
        lambda values: float(np.mean(values)),
    )
    fixed = min(
        ((shape, share) for shape in SHAPES for share in SHARES),
        key=lambda c: _mean([s.excess(c) for runs in scored.values() for s in runs]),
    )
    yield "\nThe trained cooldown over the best of the 12, by what chose it:\n"
    yield from _by_task(
        scored,
        {
            "merges": lambda s: s.excess(s.chosen("fine")),
            "merges every 5 %": lambda s: s.excess(s.chosen("coarse")),
            "always linear, 20 %": lambda s: s.excess(_WSD),
            f"always {fixed[0]}, {fixed[1]} % (in hindsight)": lambda s: s.excess(fixed),
            "drawn at random": lambda s: float((s.cooled / s.cooled.min()).mean()),
        },
        _mean,
    )
    yield "\nMerged constant runs over real wsd (linear, 20 %) at equal steps:\n"
    yield from _by_task(
        scored,
        {
            "not merged": lambda s: s.constant / s.cooled[_WSD],
            "linear, 20 %": lambda s: s.fine[_WSD] / s.cooled[_WSD],
            "1-sqrt, 20 %": lambda s: s.fine["1-sqrt", 20] / s.cooled[_WSD],
            "linear, 40 %": lambda s: s.fine["linear", 40] / s.cooled[_WSD],
            "best merge": lambda s: float(s.fine.min()) / s.cooled[_WSD],
            "best cooldown": lambda s: float(s.cooled.min()) / s.cooled[_WSD],
        },
        _mean,
    )


def scored_runs(tasks: Iterable[str], seeds: Sequence[int]) -> dict[str, list[Scored]]:
    """Return the stored scores by task, one for each seed.

    Args:
        tasks: Names of workloads.
        seeds: Of each.
    """
    rows = stored()
    found = {
        task: [
            Scored(rows[(rows.task == task) & (rows.seed == seed)])
            for seed in seeds
            if ((rows.task == task) & (rows.seed == seed)).any()
        ]
        for task in tasks
    }
    return {task: runs for task, runs in found.items() if runs}


def main() -> None:
    """Make what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[3, 4, 5])
    parser.add_argument("--stored", action="store_true")
    arguments = parser.parse_args()
    if not arguments.stored:
        compute(arguments.tasks, arguments.seeds)
    print("\n".join(tables(scored_runs(arguments.tasks, arguments.seeds))))


if __name__ == "__main__":
    main()
