"""Moving a peak between schedules and lengths of run without tuning it again.

    python -m examples.papers.transfer_of_peaks [--stored]

The peak of each profile is tuned at T/4 (the best on a curve through 9 peaks, the mean of three
seeds), moved by `autolr.schedules.transfer`, and used at T. The curves are those of
oracle_x0.25.csv and oracle.csv in time_to_target; the runs of wsd -> linear are made, but with
--stored.
"""

import argparse
import math

import numpy as np
import pandas as pd

from autolr.schedules import transfer
from examples.papers.runs import WORKLOADS, best_of, finals, geometric, log_curve
from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import load_oracle

SHORT = 0.25  # of a run, in which peaks are tuned
CLAIM = """\
Claim (Schaipp et al. 2025, arXiv:2501.18965): the bound of convex optimization tells how the best
peak changes between schedules; "noticeable improvements" from "transferring the optimal
learning-rate across schedules" in language models of 124M and 210M parameters."""


def main() -> None:
    """Print the excess over a peak that is tuned again, for moved peaks and those left alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", action="store_true", help="make no runs")
    only_stored = parser.parse_args().stored
    short, whole = load_oracle(SHORT), load_oracle()
    print(CLAIM, "\n")
    if not only_stored:
        _made(short, whole)
    print("\nExcess over tuned again, %, on stored curves: left alone -> moved")
    print(f"{'tuned at T/4 for':18}" + "".join(f"{'at T: ' + name:>18}" for name in PROFILES))
    every: list[tuple[float, float]] = []
    for source in PROFILES:
        cells = []
        for target in PROFILES:
            pairs = [_read(short, whole, name, source, target) for name in WORKLOADS]
            every += pairs
            alone, moved = (100 * (geometric(column) - 1) for column in zip(*pairs, strict=True))
            cells.append(f"{alone:.1f} -> {moved:.1f}")
        print(f"{source:18}" + "".join(f"{cell:>18}" for cell in cells))
    alone, moved = (100 * (geometric(column) - 1) for column in zip(*every, strict=True))
    print(f"{'all':18}{f'{alone:.1f} -> {moved:.1f}':>18}")


def _made(short: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Print what runs at moved peaks end at, from wsd at T/4 to linear at T."""
    print("wsd at T/4 -> linear at T, runs of three seeds; excess over the best of 9 peaks at T, %")
    print(f"{'':18}{'tuned':>9}{'moved to':>10}{'best at T':>10}{'left alone':>12}{'moved':>8}")
    excess: list[list[float]] = []
    for name in WORKLOADS:
        peak, _ = best_of(*_curve(short, name, "wsd"))
        moved = _moved(short, whole, name, peak, "wsd", "linear")
        peaks, losses = _curve(whole, name, "linear")
        runs = finals(name, [(peak, "linear"), (moved, "linear")], PROFILES).mean(1)
        excess.append([float(run) / min(losses) for run in runs])
        best = peaks[int(np.argmin(losses))]
        ends = "".join(
            f"{100 * (ratio - 1):>{w}.1f}" for ratio, w in zip(excess[-1], (12, 8), strict=True)
        )
        print(f"{name:18}{peak:>9.3g}{moved:>10.3g}{best:>10.3g}{ends}")
    alone, after = (geometric(column) for column in zip(*excess, strict=True))
    print(f"{'geometric mean':47}{100 * (alone - 1):>12.1f}{100 * (after - 1):>8.1f}")


def _read(
    short: pd.DataFrame, whole: pd.DataFrame, name: str, source: str, target: str
) -> tuple[float, float]:
    """Return loss / tuned again at the peak left alone and at the moved one, on stored curves."""
    peak, _ = best_of(*_curve(short, name, source))
    moved = _moved(short, whole, name, peak, source, target)
    grid = _curve(whole, name, target)
    curve, (_, best) = log_curve(*grid), best_of(*grid)
    low, high = grid[0][0], grid[0][-1]
    losses = [float(curve(math.log(min(max(one, low), high)))) for one in (peak, moved)]
    return math.exp(losses[0]) / best, math.exp(losses[1]) / best


def _moved(
    short: pd.DataFrame, whole: pd.DataFrame, name: str, peak: float, source: str, target: str
) -> float:
    steps = [int(runs[runs.workload == name].steps.max()) for runs in (short, whole)]
    return transfer(peak, PROFILES[source], steps[0], PROFILES[target], steps[1])


def _curve(runs: pd.DataFrame, name: str, profile: str) -> tuple[list[float], list[float]]:
    """Return the peaks of a grid and the mean final loss at each."""
    of = runs[(runs.workload == name) & (runs.profile == profile)]
    means = of.groupby("peak").final.mean()
    return means.index.tolist(), means.tolist()


if __name__ == "__main__":
    main()
