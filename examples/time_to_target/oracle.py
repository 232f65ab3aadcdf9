"""The oracle: what the best of 9 peaks x 4 profiles reaches, and how to make and read it.

    python -m examples.time_to_target.oracle [--jobs 2] [--workloads NAME ...] [--scale 1]

computes the runs that oracle.csv lacks, so that an interrupted run resumes, and prints the oracles.
"""

import argparse
import math
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd
import torch

from examples.time_to_target.loop import CHECKPOINTS, PROFILES, Run, train
from examples.time_to_target.stacked import Config, train_stacked
from examples.time_to_target.workloads import ALL, GROUPS, HARD_STARTS, WORKLOADS, expanded, make

SEEDS = (0, 1, 2)
KEY = ["workload", "seed", "peak", "profile"]
CURVE = [f"c{k}" for k in range(1, len(CHECKPOINTS) + 1)]
COLUMNS = [*KEY, "final", *CURVE, "steps", "diverged"]

_PAYS_STACKED = {
    "logreg_digits",
    "mlp_flights",
    "finetune_digits",
}  # the others' steps are not mostly overhead
_TOLERANCE = 0.01  # of the oracle's loss, at least: a run within it has reached the goal


@dataclass(frozen=True)
class Oracle:
    """The best configuration of a workload's grid, by its mean over seeds.

    Attributes:
        workload: Whose.
        loss: The mean of its final losses.
        peak: Its peak.
        profile: Its profile.
        sd: The standard deviation of its final losses over seeds.
        median: The median final loss of the grid's runs: a random draw's.
        softening: What ratios add to both scores, so that one close to 0 does not decide alone.
        test: The mean of its test scores; NaN where there is no test split.
    """

    workload: str
    loss: float
    peak: float
    profile: str
    sd: float
    median: float
    softening: float = 0.0
    test: float = math.nan

    @property
    def goal(self) -> float:
        """The loss of a run that counts as good: the oracle + max(1 %, 1 sd)."""
        return self.loss + max(_TOLERANCE * (self.loss + self.softening), self.sd)

    def ratio(self, final: float) -> float:
        """Return final / oracle, both softened."""
        return (final + self.softening) / (self.loss + self.softening)

    def test_ratio(self, test: float) -> float:
        """Return test / the oracle's test, both softened."""
        return (test + self.softening) / (self.test + self.softening)

    def regret(self, final: float) -> float:
        """Return R: 0 for the oracle, 1 for a random draw from the grid."""
        return (final - self.loss) / (self.median - self.loss)


def csv_path(scale: float = 1.0) -> Path:
    """Return where the grid of a scale is stored."""
    return Path(__file__).with_name("oracle.csv" if scale == 1 else f"oracle_x{scale:g}.csv")


def load_oracle(scale: float = 1.0) -> pd.DataFrame:
    """Return the grid's runs, a row each; no rows where none were computed."""
    path = csv_path(scale)
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    runs = pd.read_csv(path).dropna()  # of a row cut by a kill
    return runs.drop_duplicates(KEY, keep="last").astype({"diverged": bool})


def oracle_of(
    name: str, profiles: Sequence[str] | None = None, *, grid: pd.DataFrame | None = None
) -> Oracle:
    """Return the oracle of a workload.

    Args:
        name: The workload.
        profiles: The profiles to choose from. None: all.
        grid: The runs, as of `load_oracle`. None: the stored ones of scale 1.

    Raises:
        LookupError: If the grid has no runs of the workload.
    """
    runs = load_oracle() if grid is None else grid
    runs = runs[runs.workload == name]
    if profiles is not None:
        runs = runs[runs.profile.isin(profiles)]
    if runs.empty:
        raise LookupError(f"no oracle of {name!r}: run python -m {__spec__.name}")
    means = runs.groupby(["peak", "profile"])["final"].mean().reset_index()
    winner = means.iloc[int(means["final"].to_numpy().argmin())]
    peak, profile = float(winner["peak"]), str(winner["profile"])
    best = runs[(runs.peak == peak) & (runs.profile == profile)].final
    return Oracle(
        workload=name,
        loss=float(best.mean()),
        peak=peak,
        profile=profile,
        sd=float(best.std(ddof=1)),
        median=float(runs.final.median()),
    )


@dataclass(frozen=True)
class _Unit:
    """Runs that one process computes together: one, or a stack."""

    workload: str
    scale: float
    seeds: tuple[int, ...]
    configs: tuple[Config, ...]

    def keys(self) -> set[tuple[str, int, float, str]]:
        """Return the keys of its rows."""
        return {(self.workload, seed, *c) for seed, c in product(self.seeds, self.configs)}


def _units(workloads: Iterable[str], scale: float) -> Iterator[_Unit]:
    """Yield the whole grid of every workload."""
    for name in workloads:
        peaks = make(name, scale=scale).peaks
        if name in _PAYS_STACKED:
            configs = tuple(product(peaks, PROFILES))
            yield _Unit(name, scale, SEEDS, configs)
        else:
            for profile, peak, seed in product(PROFILES, peaks, SEEDS):
                yield _Unit(name, scale, (seed,), ((peak, profile),))


def _compute(unit: _Unit) -> list[list[object]]:
    """Return the rows of a unit."""
    torch.set_num_threads(1)
    tasks = [make(unit.workload, seed, unit.scale) for seed in unit.seeds]
    if unit.workload in _PAYS_STACKED:
        runs = train_stacked(tasks, unit.configs)
    else:
        ((peak, profile),) = unit.configs
        runs = [[train(tasks[0], tasks[0].make_optimizer(peak), PROFILES[profile])]]
    return [
        _row((unit.workload, seed, *config), run)
        for seed, of_seed in zip(unit.seeds, runs, strict=True)
        for config, run in zip(unit.configs, of_seed, strict=True)
    ]


def _row(key: tuple[object, ...], run: Run) -> list[object]:
    curve = [float(f"{value:.6g}") for value in run.curve]
    return [*key, run.final, *curve, run.steps, run.diverged]


def compute(workloads: Iterable[str], scale: float, jobs: int) -> None:
    """Compute the runs that the stored grid lacks, and leave it sorted."""
    present = set(_tidied(scale)[KEY].itertuples(index=False, name=None))
    todo = [unit for unit in _units(workloads, scale) if not unit.keys() <= present]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for n, rows in enumerate(pool.imap_unordered(_compute, todo), start=1):
            pd.DataFrame(rows).to_csv(csv_path(scale), mode="a", header=False, index=False)
            print(f"{n} of {len(todo)}: {rows[-1][:5]}", flush=True)
    _tidied(scale)


def _tidied(scale: float) -> pd.DataFrame:
    """Write the whole rows of the stored grid back in order, and return them."""
    runs = load_oracle(scale).sort_values(KEY)
    runs.to_csv(csv_path(scale), index=False)
    return runs


def main() -> None:
    """Compute what is missing; print the oracles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    names = [*ALL, *GROUPS]
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=names)
    parser.add_argument("--scale", type=float, default=1.0, help="of the runs' length")
    arguments = parser.parse_args()

    # here: these modules read this one
    from examples.time_to_target import hard_oracle, oracle_tests

    workloads = expanded(arguments.workloads)
    hard = [name for name in workloads if name in HARD_STARTS]
    others = [name for name in workloads if name not in HARD_STARTS]
    if hard and arguments.scale != 1:
        parser.error("argument --scale: the oracle of the hard starts has whole runs only")
    if others:
        compute(others, arguments.scale, arguments.jobs)
    if others and arguments.scale == 1:
        oracle_tests.compute(others)
    if hard:
        hard_oracle.compute(hard, arguments.jobs)
    grid = load_oracle(arguments.scale)
    oracles = [oracle_of(name, grid=grid) for name in others]
    for oracle in oracles + [hard_oracle.oracle_of(name) for name in hard]:
        print(oracle, f"goal={oracle.goal:.5g}")


if __name__ == "__main__":
    main()
