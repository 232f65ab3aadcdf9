"""Hyperband's best loss at any time, and what its rungs should score.

    python -m examples.papers.anytime_hyperband

Nothing is trained. The first table replays Hyperband over (peak, profile) on the curves of
oracle.csv (time_to_target), against random search without rungs. The second one halves a race of
five peaks on the scores of forecasts.csv: those of the present weights, and those of the average of
the last weights, which stands for an annealed copy.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from examples.papers.runs import LOST, geometric
from examples.time_to_target.forecast_runs import MARKS, ScoredRun, stored
from examples.time_to_target.loop import CHECKPOINTS, PROFILES
from examples.time_to_target.oracle import CURVE, load_oracle, oracle_of
from examples.time_to_target.workloads import WORKLOADS

BUDGETS = (1, 2, 3, 5, 7, 10)  # in whole runs
REPLAYS = 20  # of each workload and seed
RUNGS = (0.035, 0.107, 0.23)  # shares of a run, of the second table
_R, _ETA = 27, 3
CLAIM = """\
Claim (Li et al. 2018, arXiv:1603.06560): Hyperband is "over an order-of-magnitude" faster than
its competitors."""


Event = tuple[float, float]  # runs spent so far, and a loss that was reached
Search = Callable[[pd.DataFrame, np.random.Generator], Iterator[Event]]


def main() -> None:
    """Print both tables."""
    print(CLAIM, "\n")
    print("best loss so far / oracle, unfinished runs too, geometric mean (7 workloads, 3 seeds)")
    print(f"{'after T of steps':36}" + "".join(f"{budget:>8}" for budget in BUDGETS))
    searches: dict[str, Search] = {
        "random search": _random,
        "hyperband": partial(_hyperband, brackets=(3, 2, 1, 0)),
        "hyperband, most aggressive bracket": partial(_hyperband, brackets=(3,)),
    }
    for name, search in searches.items():
        columns = zip(*_replays(search), strict=True)
        print(f"{name:36}" + "".join(f"{geometric(column):>8.3f}" for column in columns))
    print(f"\nfive peaks halved at {RUNGS} of a run, 8 tasks x 3 seeds")
    print(f"{'rungs score':36}{'final / best':>14}{'median':>8}{'best kept':>11}")
    races = _races()
    for kind in ("present", "averaged"):
        kept = [_halved(race, kind) for race in races]
        ratios = [final / best for final, best in kept]
        cells = f"{geometric(ratios):>14.3f}{float(np.median(ratios)):>8.3f}"
        print(f"{kind + ' weights':36}{cells}{ratios.count(1.0):>5} of {len(kept)}")


def _replays(search: Search) -> Iterator[list[float]]:
    """Yield the best loss / oracle at each budget, for each replay."""
    grid = load_oracle()
    for workload, seed in product(WORKLOADS, (0, 1, 2)):
        loss = oracle_of(workload, list(PROFILES), grid=grid).loss
        runs = grid[(grid.workload == workload) & (grid.seed == seed)]
        for replay in range(REPLAYS):
            order = np.random.default_rng([seed, replay])
            yield _anytime(list(search(runs, order)), loss)


def _random(runs: pd.DataFrame, order: np.random.Generator) -> Iterator[Event]:
    """Yield whole runs in random order."""
    finals = runs.final.to_numpy()
    for index, final in enumerate(finals[order.permutation(len(finals))], start=1):
        yield float(index), float(final)


def _hyperband(
    runs: pd.DataFrame, order: np.random.Generator, brackets: Sequence[int]
) -> Iterator[Event]:
    """Yield the best loss of each rung of successive halving, bracket after bracket, again."""
    curves, spent = runs[CURVE].to_numpy(), 0.0
    while spent < BUDGETS[-1]:
        for bracket in brackets:
            count = math.ceil((brackets[0] + 1) / (bracket + 1) * _ETA**bracket)
            alive, made = order.integers(len(curves), size=count), 0
            for rung in range(bracket, -1, -1):
                part = _R // _ETA**rung
                spent += len(alive) * (part - made) / _R
                made = part
                losses = curves[alive, CHECKPOINTS.index(part)]
                yield spent, float(losses.min())
                if rung:
                    alive = alive[np.argsort(losses, kind="stable")[: max(1, len(alive) // _ETA)]]


def _anytime(events: Sequence[Event], loss: float) -> list[float]:
    """Return the best loss / oracle at each budget."""
    best = [
        min((end for at, end in events if at <= budget), default=math.inf) for budget in BUDGETS
    ]
    return [min(one / loss, LOST) for one in best]


def _races() -> list[list[ScoredRun]]:
    """Return the five whole runs of each task and seed."""
    whole = [run for run in stored() if run.key.at == 0]
    keys = sorted({(run.key.workload, run.key.seed) for run in whole})
    return [[run for run in whole if (run.key.workload, run.key.seed) == key] for key in keys]


def _halved(race: Sequence[ScoredRun], kind: str) -> tuple[float, float]:
    """Return the final of the run that is left, and the best of all."""
    alive = list(race)
    for rung in RUNGS:
        scores = [getattr(run, kind)[MARKS.index(rung)] for run in alive]
        order = np.argsort(scores, kind="stable")[: max(1, math.ceil(len(alive) / 2))]
        alive = [alive[index] for index in order]
    return alive[0].final, min(run.final for run in race)


if __name__ == "__main__":
    main()
