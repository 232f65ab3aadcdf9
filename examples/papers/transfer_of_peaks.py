"""Moving a peak between schedules and lengths of run without tuning it again.

    python -m examples.papers.transfer_of_peaks [--stored]

The peak of each profile is tuned at T/4 (the best on a curve through 9 peaks, the mean of three
seeds), moved by `autolr.schedules.transfer`, and used at T. The curves are those of
oracle_x0.25.csv and oracle.csv in time_to_target; the runs of wsd -> linear are made, but with
--stored. The last column has the exponent of the length that is best on all other tasks.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd
from scipy.interpolate import Akima1DInterpolator

from autolr.schedules import transfer
from examples.papers.runs import best_of, finals, geometric, log_curve
from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import load_oracle

TASKS = (
    *("logreg_digits", "mlp_flights", "finetune_digits", "mf_movielens", "dropnet_mnist5k"),
    *("cnn_mnist5k", "autoencoder_mnist5k", "context_pysrc"),
)
SHORT = 0.25  # of a run, in which peaks are tuned
EXPONENTS = tuple(round(0.1 * tenth, 1) for tenth in range(11))  # of the length; the bound's is 0.5
CLAIM = """\
Claim (Schaipp et al. 2025, arXiv:2501.18965): the bound of convex optimization tells how the best
peak changes between schedules; "noticeable improvements" from "transferring the optimal
learning-rate across schedules" in language models of 124M and 210M parameters."""

Place = Callable[["Pair"], float]


@dataclass(frozen=True)
class Pair:
    """A profile that is tuned at T/4, and one that is used at T, on a task.

    Attributes:
        task: The task.
        source: The profile that is tuned.
        target: The one that is used.
    """

    task: str
    source: str
    target: str

    def excess(self, peak: float) -> float:
        """Return the loss of the target at a peak over its best one, on the stored curve."""
        low, high = self._curve.x[0], self._curve.x[-1]  # where a run was not lost
        return math.exp(self._curve(min(max(math.log(peak), low), high))) / self._best

    @cached_property
    def tuned(self) -> float:
        """The best peak of the source at T/4."""
        return best_of(*_curve(_RUNS[0], self.task, self.source))[0]

    def moved(self, exponent: float = 0.5) -> float:
        """Return the peak of the target at T."""
        return self._bound * float(SHORT ** (exponent - 0.5))

    @cached_property
    def _bound(self) -> float:
        steps = [int(runs[runs.workload == self.task].steps.max()) for runs in _RUNS]
        source, target = PROFILES[self.source], PROFILES[self.target]
        return transfer(self.tuned, source, steps[0], target, steps[1])

    @cached_property
    def _curve(self) -> Akima1DInterpolator:
        return log_curve(*_curve(_RUNS[1], self.task, self.target))

    @cached_property
    def _best(self) -> float:
        return best_of(*_curve(_RUNS[1], self.task, self.target))[1]


def _curve(runs: pd.DataFrame, name: str, profile: str) -> tuple[list[float], list[float]]:
    """Return the peaks of a grid and the mean final loss at each."""
    of = runs[(runs.workload == name) & (runs.profile == profile)]
    means = of.groupby("peak").final.mean()
    return means.index.tolist(), means.tolist()


_RUNS = load_oracle(SHORT), load_oracle()
_PAIRS = [
    Pair(task, source, target) for task in TASKS for source in PROFILES for target in PROFILES
]


def main() -> None:
    """Print the excess over a peak that is tuned again, for moved peaks and those left alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", action="store_true", help="make no runs")
    only_stored = parser.parse_args().stored
    print(CLAIM)
    if not only_stored:
        _made()
    print("\nExcess over tuned again, %, on stored curves: left alone -> moved")
    print(f"{'tuned at T/4 for':18}" + "".join(f"{'at T: ' + name:>18}" for name in PROFILES))
    for source in PROFILES:
        cells = [
            " -> ".join(f"{_mean(place, source, target):.1f}" for place in (_alone, _bound))
            for target in PROFILES
        ]
        print(f"{source:18}" + "".join(f"{cell:>18}" for cell in cells))
    print("\nThe same by task, and with the exponent of the length that is best on the others")
    _by_task("all pairs", None, None)
    _by_task("wsd -> linear", "wsd", "linear")


def _alone(pair: Pair) -> float:
    return pair.tuned


def _bound(pair: Pair) -> float:
    return pair.moved()


def _chosen(pair: Pair) -> float:
    return pair.moved(exponent_without(pair.task))


@cache
def exponent_without(task: str) -> float:
    """Return the exponent of the length at which all pairs of other tasks are best in the mean."""
    of = [pair for pair in _PAIRS if pair.task != task]
    return min(EXPONENTS, key=lambda e: geometric([pair.excess(pair.moved(e)) for pair in of]))


def _mean(
    place: Place, source: str | None = None, target: str | None = None, task: str | None = None
) -> float:
    """Return the mean excess in percent over all pairs, or those of a profile or task."""
    among = [
        pair.excess(place(pair))
        for pair in _PAIRS
        if pair.source in (source or pair.source)
        and pair.target in (target or pair.target)
        and pair.task in (task or pair.task)
    ]
    return 100 * (geometric(among) - 1)


def _by_task(title: str, source: str | None, target: str | None) -> None:
    print(f"{title:22}{'left alone':>12}{'moved':>8}{'exponent':>10}{'moved by it':>13}")
    for task in (*TASKS, None):
        left, moved, further = (
            _mean(place, source, target, task) for place in (_alone, _bound, _chosen)
        )
        exponent = "" if task is None else exponent_without(task)
        print(
            f"{task or 'geometric mean':22}{left:>12.1f}{moved:>8.1f}{exponent:>10}{further:>13.1f}"
        )


def _made() -> None:
    """Print what runs at moved peaks end at, from wsd at T/4 to linear at T."""
    print("\nwsd at T/4 -> linear at T, three seeds; excess over the best of 9 peaks at T, %")
    titles = ("tuned", "moved", "further", "best", "left alone", "moved", "moved further")
    print(f"{'':22}" + "".join(f"{title:>14}" for title in titles), flush=True)
    excess: list[list[float]] = []
    for task in TASKS:
        pair = Pair(task, "wsd", "linear")
        places = [place(pair) for place in (_alone, _bound, _chosen)]
        peaks, losses = _curve(_RUNS[1], task, "linear")
        runs = finals(task, [(peak, "linear") for peak in places], PROFILES).mean(1)
        excess.append([float(run) / min(losses) for run in runs])
        best = peaks[int(np.argmin(losses))]
        cells = "".join(f"{peak:>14.3g}" for peak in (*places, best))
        ends = "".join(f"{100 * (ratio - 1):>14.1f}" for ratio in excess[-1])
        print(f"{task:22}{cells}{ends}", flush=True)
    means = (100 * (geometric(column) - 1) for column in zip(*excess, strict=True))
    print(f"{'geometric mean':22}" + " " * 56 + "".join(f"{mean:>14.1f}" for mean in means))


if __name__ == "__main__":
    main()
