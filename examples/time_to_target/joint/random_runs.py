"""The oracle of the joint space: the best of 200 random runs.

    python -m examples.time_to_target.joint.random_runs

computes the runs that random_runs.csv lacks, so that an interrupted run resumes.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from examples.time_to_target.joint.problem import Joint
from examples.time_to_target.joint.workloads import WORKLOADS
from examples.time_to_target.peers.problem import PARTS, Point, Range, Space

FILE = Path(__file__).with_name("random_runs.csv")
RUNS = 200
SEED = 0  # of the workload
COLUMNS = ["workload", "number", "spent", "loss"]


def drawn(space: Space, number: int) -> Point:
    """Return random point ``number`` of a space."""
    generator = np.random.default_rng(number)
    point: dict[str, float | int | str] = {}
    for name, domain in space.items():
        if not isinstance(domain, Range):
            point[name] = domain.values[int(generator.integers(len(domain.values)))]
        elif domain.log:
            logs = generator.uniform(np.log(domain.low), np.log(domain.high))
            point[name] = float(np.exp(logs))
        else:
            point[name] = float(generator.uniform(domain.low, domain.high))
    return point


def load(path: Path = FILE) -> pd.DataFrame:
    """Return the runs that are stored; a row that a kill cut is left out."""
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path).dropna()


def oracles(path: Path = FILE) -> dict[str, float]:
    """Return the lowest loss of each workload's random runs."""
    lowest = load(path).groupby("workload")["loss"].min()
    return {str(name): float(loss) for name, loss in lowest.items()}


def compute(names: Sequence[str], runs: int, path: Path = FILE) -> None:
    """Train the random runs that the file lacks.

    Args:
        names: Of workloads.
        runs: Of each.
        path: The file.
    """
    torch.set_num_threads(1)
    done = set(load(path)[["workload", "number"]].itertuples(index=False, name=None))
    todo = [(name, number) for name in names for number in range(runs)]
    for name, number in todo:
        if (name, number) in done:
            continue
        problem = Joint(name, SEED)
        training = problem.begin(drawn(problem.space, number))
        loss = training.until(PARTS)
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(COLUMNS)
            writer.writerow([name, number, f"{training.spent:.4f}", f"{loss:.6g}"])


def main() -> None:
    """Train what is missing; print the oracles and what a random run comes to."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--file", type=Path, default=FILE)
    arguments = parser.parse_args()
    compute(arguments.workloads, arguments.runs, arguments.file)
    for name, runs in load(arguments.file).groupby("workload"):
        best, median = runs.loss.min(), runs.loss.median()
        price = runs.spent.mean()
        print(f"{name}: best of {len(runs)} {best:.4g}, median {median:.4g}, {price:.2f} T each")


if __name__ == "__main__":
    main()
