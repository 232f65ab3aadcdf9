"""The stored runs of the hard starts."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from itertools import product

import numpy as np
import pytest

from examples.time_to_target.hard_oracle import (
    COLUMNS,
    DEFAULT,
    DEFAULT_SEEDS,
    SEEDS,
    load_hard_oracle,
    oracle_of,
    profiles_of,
)
from examples.time_to_target.oracle import CURVE, KEY
from examples.time_to_target.workloads import HARD_STARTS, make


@pytest.fixture(scope="module")
def stored():
    return load_hard_oracle()


@pytest.mark.parametrize("name", HARD_STARTS)
def test_the_grid_and_the_users_runs_are_complete(name, stored):
    task = make(name)
    runs = stored[stored.workload == name]
    grid = {(name, *each) for each in product(SEEDS, task.peaks, profiles_of(task))}
    users = {(name, seed, task.default.rate, DEFAULT) for seed in DEFAULT_SEEDS}
    assert list(runs.columns) == COLUMNS
    assert len(runs) == len(grid | users)
    assert set(runs[KEY].itertuples(index=False, name=None)) == grid | users


def test_runs_that_did_not_diverge_have_a_test_score(stored):
    whole = stored[~stored.diverged]
    assert np.isfinite(whole[["final", "test", "initial"]]).all(axis=None)
    np.testing.assert_allclose(whole[CURVE[-1]], whole.final, rtol=1e-5)  # curves have 6 digits


@pytest.mark.parametrize("name", HARD_STARTS)
def test_the_oracle_is_no_worse_than_the_user_and_softened_by_a_percent_of_the_start(name, stored):
    oracle, runs = oracle_of(name), stored[stored.workload == name]
    default = runs[(runs.profile == DEFAULT) & runs.seed.isin(SEEDS)].final.mean()
    assert oracle.loss <= default
    assert oracle.softening == pytest.approx(0.01 * runs[runs.seed.isin(SEEDS)].initial.mean())
    assert oracle.ratio(oracle.loss) == oracle.test_ratio(oracle.test) == 1


def test_a_transformer_and_a_parity_stand_at_chance_at_first(stored):
    for name, chance in (("parity", np.log(2)), ("vit_digits", np.log(10))):
        users = stored[(stored.workload == name) & (stored.profile == DEFAULT)]
        assert (users.c1 > 0.95 * chance).all()
        assert (users.final < 0.9 * chance).all()
