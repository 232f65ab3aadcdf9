"""The oracle of the hard starts: 7 peaks x 2 profiles x 2 seeds, and the default of each user.

A task with a scheduler of its own has that and a linear decay; the others a linear decay with
warm-up and a cosine. `python -m examples.time_to_target.oracle --workloads hard_starts` computes
the runs that oracle_hard_starts.csv lacks.
"""

import multiprocessing
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pandas as pd
import torch

from autolr.schedules import Schedule, linear, warmup
from examples.time_to_target.loop import PROFILES, Run, train
from examples.time_to_target.oracle import CURVE, KEY, Oracle
from examples.time_to_target.oracle import oracle_of as best_of
from examples.time_to_target.tasks_base import Task
from examples.time_to_target.workloads import make

SEEDS = (0, 1)
DEFAULT_SEEDS = (0, 1, 2, 20, 21, 22)  # of the users' runs; the last three for confirmation
DEFAULT, OWN = "default", "own"  # as a profile: the user's rate and schedule; only their schedule
COLUMNS = [*KEY, "final", "test", "initial", *CURVE, "steps", "diverged"]

SCHEDULES: dict[str, Schedule] = {
    "warmup_linear": warmup(0.05) | linear(),
    "linear": PROFILES["linear"],
    "cosine": PROFILES["cosine"],
}
_SOFTENING = 0.01  # of the initial score
_FILE = Path(__file__).with_name("oracle_hard_starts.csv")


@dataclass(frozen=True)
class _Unit:
    """One run of the grid, or of a task's user."""

    workload: str
    seed: int
    peak: float
    profile: str

    @property
    def key(self) -> tuple[str, int, float, str]:
        return self.workload, self.seed, self.peak, self.profile


def load_hard_oracle() -> pd.DataFrame:
    """Return the stored runs, a row each; no rows where none were computed."""
    if not _FILE.exists():
        return pd.DataFrame(columns=COLUMNS)
    runs = pd.read_csv(_FILE)
    runs = runs[runs.diverged.notna()]  # without a row cut by a kill
    return runs.drop_duplicates(KEY, keep="last").astype({"diverged": bool})


def oracle_of(name: str) -> Oracle:
    """Return the oracle of a hard start: the best of its grid and of its user's default.

    Raises:
        LookupError: If nothing of it is stored.
    """
    stored = load_hard_oracle()
    runs = stored[(stored.workload == name) & stored.seed.isin(SEEDS)]
    best = best_of(name, grid=runs)
    chosen = runs[(runs.peak == best.peak) & (runs.profile == best.profile)]
    return replace(
        best,
        softening=_SOFTENING * float(runs.initial.mean()),
        test=float(chosen.test.mean()),
    )


def profiles_of(task: Task) -> tuple[str, str]:
    """Return the two profiles that a task's grid has."""
    return ("warmup_linear", "cosine") if task.default.scheduler is None else (OWN, "linear")


def compute(workloads: Iterable[str], jobs: int) -> None:
    """Compute the runs that the stored ones lack, and leave them sorted."""
    present = set(_tidied()[KEY].itertuples(index=False, name=None))
    todo = [unit for name in workloads for unit in _units(name) if unit.key not in present]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for n, row in enumerate(pool.imap_unordered(_computed, todo), start=1):
            pd.DataFrame([row]).to_csv(_FILE, mode="a", header=False, index=False)
            print(f"{n} of {len(todo)}: {row[:5]}", flush=True)
    _tidied()


def _units(name: str) -> list[_Unit]:
    task = make(name)
    grid = product(SEEDS, task.peaks, profiles_of(task))
    users = [_Unit(name, seed, task.default.rate, DEFAULT) for seed in DEFAULT_SEEDS]
    return users + [_Unit(name, *each) for each in grid]


def _computed(unit: _Unit) -> list[object]:
    torch.set_num_threads(1)
    task = make(unit.workload, unit.seed)
    initial = task.validate(task.model)
    run = trained(task, unit.peak, unit.profile)
    curve = [float(f"{value:.6g}") for value in run.curve]
    test = task.tested(task.model)
    return [*unit.key, run.final, test, initial, *curve, run.steps, run.diverged]


def trained(task: Task, peak: float, profile: str) -> Run:
    """Train a task in the plain loop at a peak.

    Args:
        task: What to train.
        peak: The rate of the optimizer.
        profile: One of the grid's, "own" for the task's own scheduler, or "default" for that or,
            without one, a constant rate.
    """
    optimizer, build = task.make_optimizer(peak), task.default.scheduler
    if profile not in (DEFAULT, OWN):
        return train(task, optimizer, SCHEDULES[profile])
    scheduler = None if build is None else build(optimizer, task.steps)
    return train(task, optimizer, None, after_step=None if scheduler is None else scheduler.step)


def _tidied() -> pd.DataFrame:
    """Write the whole rows back in order, and return them."""
    runs = load_hard_oracle().sort_values(KEY)
    runs.to_csv(_FILE, index=False)
    return runs
