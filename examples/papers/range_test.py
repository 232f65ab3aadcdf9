"""What a range test suggests, against the oracle: criteria and smoothings.

    python -m examples.papers.range_test [--workloads NAME ...]

A suggestion is judged by the loss that warm-up and cosine reach at that peak, on a curve through
the runs of oracle.csv (time_to_target). No run is made, only tests of 100 steps.
"""

import argparse
import math

import numpy as np
import torch

import autolr
from autolr.result import RangeTestResult
from examples.papers.runs import SEEDS, geometric
from examples.time_to_target.lightning_runs import steepest
from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import load_oracle, oracle_of
from examples.time_to_target.tasks_base import Batches, Task
from examples.time_to_target.workloads import WORKLOADS, make

CLAIM = """\
Claim (Smith 2017, arXiv:1506.01186): a few epochs at a growing rate show the range in which the
rate should be. Readings differ: Lightning takes the steepest fall, fastai among others a tenth of
the minimum."""


def main() -> None:
    """Print final / oracle of each reading, as of the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    names = parser.parse_args().workloads
    torch.set_num_threads(1)
    print(CLAIM, "\n")
    ratios: dict[str, list[float]] = {}
    for name in names:
        for seed in SEEDS:
            for reading, rate in _readings(make(name, seed)).items():
                ratios.setdefault(reading, []).append(_reached(name, rate))
    print(f"{'reading of the test':34}{'final / oracle':>15}{'worst':>8}")
    for reading, of in ratios.items():
        print(f"{reading:34}{geometric(of):>15.3f}{max(of):>8.2f}")


def _readings(task: Task) -> dict[str, float]:
    """Return what is suggested by each reading of one test."""
    torch.manual_seed(task.seed)
    optimizer = task.make_optimizer(lr=1e-3)
    tested = autolr.range_test(task.model, optimizer, Batches(task), task.loss, clip=task.clip)
    assert tested.suggestion is not None
    lowest = 10 * tested.suggestion
    return {
        "a tenth of the minimum (ours)": tested.suggestion,
        "a third of the minimum": lowest / 3,
        "the minimum": lowest,
        "steepest fall over the log of it": _steepest(tested),
    }


def _steepest(tested: RangeTestResult) -> float:
    return steepest(tested.rates.tolist(), tested.smoothed.tolist()) or float(tested.rates[0])


def _reached(name: str, peak: float) -> float:
    """Return final / oracle of cosine at a peak; the grid's ends beyond them."""
    grid = load_oracle()
    of = grid[(grid.workload == name) & (grid.profile == "cosine")].groupby("peak").final.mean()
    losses = np.log(np.minimum(of.to_numpy(), 100 * of.min()))
    loss = math.exp(np.interp(math.log(peak), np.log(of.index.to_numpy()), losses))
    return loss / oracle_of(name, list(PROFILES), grid=grid).loss


if __name__ == "__main__":
    main()
