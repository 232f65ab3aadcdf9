"""The test scores of the oracles: their configurations trained again, a row a seed.

The grid of the workloads keeps validation losses only. `python -m examples.time_to_target.oracle`
adds the rows that oracle_tests.csv lacks.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from examples.time_to_target.loop import PROFILES, train
from examples.time_to_target.oracle import SEEDS, Oracle, oracle_of
from examples.time_to_target.workloads import make

COLUMNS = ["workload", "peak", "profile", "seed", "test"]

_FILE = Path(__file__).with_name("oracle_tests.csv")


def load_tests() -> pd.DataFrame:
    """Return the stored test scores; no rows where none were computed."""
    return pd.read_csv(_FILE) if _FILE.exists() else pd.DataFrame(columns=COLUMNS)


def with_test(oracle: Oracle) -> Oracle:
    """Return an oracle with its test score, if one is stored."""
    by_config = load_tests().groupby(["workload", "peak", "profile"])["test"].mean()
    key = oracle.workload, oracle.peak, oracle.profile
    return replace(oracle, test=float(by_config.get(key, math.nan)))


def compute(workloads: Iterable[str]) -> None:
    """Compute the test scores of the oracles that have none and whose task has a test split."""
    for name in workloads:
        oracle = with_test(oracle_of(name))
        if make(name).test is None or not math.isnan(oracle.test):
            continue
        rows = [_row(oracle, seed) for seed in SEEDS]
        pd.DataFrame(rows, columns=COLUMNS).to_csv(
            _FILE, mode="a", header=not _FILE.exists(), index=False
        )


def _row(oracle: Oracle, seed: int) -> list[object]:
    task = make(oracle.workload, seed)
    train(task, task.make_optimizer(oracle.peak), PROFILES[oracle.profile])
    return [oracle.workload, oracle.peak, oracle.profile, seed, task.tested(task.model)]
