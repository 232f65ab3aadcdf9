"""Replays of studies on stored curves."""

import math
from pathlib import Path

import pandas as pd
import pytest

from examples.time_to_target import results
from examples.time_to_target.freeze_thaw import expected_gain
from examples.time_to_target.oracle import load_oracle
from examples.time_to_target.study_replays import RUNS, VARIANTS, Curves, ratios

SEARCHES = Path(results.__file__).with_name(results.FILE)


def test_a_gain_is_half_the_mean_distance_where_the_mean_is_the_best() -> None:
    assert expected_gain(3.0, 2.0, best=3.0) == pytest.approx(2 / math.sqrt(2 * math.pi))
    assert expected_gain(-9.0, 1e-3, best=0.0) == pytest.approx(9.0)
    assert expected_gain(9.0, 1e-3, best=0.0) == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["default", "freeze-thaw, T/9 and T/3"])
def test_more_steps_never_make_a_study_worse(name: str) -> None:
    curves = Curves("mlp_flights", load_oracle(), pd.read_csv(SEARCHES))
    logs = ratios(curves, VARIANTS[name], seed=1)
    assert len(logs) == len(RUNS)
    assert logs == sorted(logs, reverse=True)
    assert logs[-1] < 0.1
