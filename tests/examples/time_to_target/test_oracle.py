import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import COLUMNS, CURVE, KEY, SEEDS, load_oracle, oracle_of
from examples.time_to_target.workloads import HELD_OUT, WORKLOADS, make

GRIDS = WORKLOADS | HELD_OUT


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    return load_oracle()


def grid_of(finals: dict[tuple[float, str], list[float]]) -> pd.DataFrame:
    rows = [
        {"workload": "w", "seed": seed, "peak": peak, "profile": profile, "final": final}
        for (peak, profile), each in finals.items()
        for seed, final in enumerate(each)
    ]
    return pd.DataFrame(rows)


GRID = grid_of(
    {
        (0.1, "linear"): [1.0, 1.1, 1.2],
        (0.1, "wsd"): [0.9, 1.0, 1.1],
        (1.0, "linear"): [0.1, 2.0, math.inf],  # the best run, and a lost one
        (1.0, "wsd"): [2.0, 2.0, 2.0],
    }
)


def test_the_oracle_is_the_best_mean_over_seeds():
    oracle = oracle_of("w", grid=GRID)
    assert (oracle.peak, oracle.profile) == (0.1, "wsd")
    assert oracle.loss == pytest.approx(1.0)
    assert oracle.sd == pytest.approx(0.1)
    assert oracle.median == pytest.approx(1.15)


def test_the_goal_is_one_sd_or_one_percent_away():
    assert oracle_of("w", grid=GRID).goal == pytest.approx(1.1)
    steady = grid_of({(0.1, "linear"): [1.0, 1.0, 1.0], (1.0, "linear"): [2.0, 2.0, 2.0]})
    assert oracle_of("w", grid=steady).goal == pytest.approx(1.01)


def test_regret_is_0_for_the_oracle_and_1_for_a_random_draw():
    oracle = oracle_of("w", grid=GRID)
    assert oracle.regret(oracle.loss) == 0
    assert oracle.regret(oracle.median) == 1
    assert oracle.regret(math.inf) == math.inf


def test_profiles_can_be_left_out():
    oracle = oracle_of("w", ["linear"], grid=GRID)
    assert oracle.profile == "linear"
    assert oracle.loss == pytest.approx(1.1)


def test_an_oracle_that_was_not_computed_is_an_error():
    with pytest.raises(LookupError, match="no oracle of 'w'"):
        oracle_of("w")


def test_the_stored_grid_is_complete(stored):
    assert list(stored.columns) == COLUMNS
    assert not stored.duplicated(KEY).any()
    assert len(stored) == len(GRIDS) * 9 * len(PROFILES) * len(SEEDS)
    for name, runs in stored.groupby("workload"):
        keys = set(runs[["seed", "peak", "profile"]].itertuples(index=False, name=None))
        assert keys == set(product(SEEDS, set(runs.peak), PROFILES)), name
        assert runs.peak.nunique() == 9
    ours = set(stored[stored.workload == "logreg_digits"].peak)
    assert ours == set(make("logreg_digits").peaks)  # to the last bit: runs are found by them


def test_the_stored_runs_agree_with_themselves(stored):
    last = stored[CURVE[-1]].to_numpy()
    final = stored.final.to_numpy()
    assert np.isinf(final[stored.diverged]).all()
    assert np.isfinite(final[~stored.diverged]).all()
    np.testing.assert_allclose(last, final, rtol=1e-5)  # curves have 6 digits


@pytest.mark.parametrize("name", GRIDS)
def test_the_best_peak_is_inside_the_grid(name, stored):
    oracle = oracle_of(name, grid=stored)
    peaks = stored[stored.workload == name].peak
    assert peaks.min() < oracle.peak < peaks.max()
    assert oracle.loss < oracle.goal < oracle.median


def test_too_large_a_peak_kills_dropnet_late(stored):
    runs = stored[(stored.workload == "dropnet_mnist5k") & (stored.profile == "constant")]
    chance = math.log(10)
    best_seen = runs[CURVE].min(axis=1)
    killed = runs[(best_seen < 0.8 * chance) & (runs.final > 0.85 * chance)]
    assert not killed.empty
    assert killed.peak.min() > oracle_of("dropnet_mnist5k", grid=stored).peak
