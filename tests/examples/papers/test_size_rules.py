"""The rules that move a peak to another size, where they can be seen in seconds."""

import math

import numpy as np
import pytest

from autolr.schedules import linear, transfer_size
from examples.papers.runs import best_of
from examples.papers.size_rules import Kind, Setting, grid_of, sweep

SEEDS = (0, 1)


def best_rate(setting: Setting) -> float:
    rates = grid_of(setting)
    return best_of(rates, sweep(setting, rates, SEEDS))[0]


def lowest_rate(setting: Setting) -> float:
    """Return the lowest rate that trains to a loss of 0.6: less flat than the best one."""
    rates = grid_of(setting)[1:8]
    losses = np.log(sweep(setting, rates, SEEDS))
    return math.exp(np.interp(-math.log(0.6), -losses, np.log(rates)))


@pytest.mark.slow
def test_rates_of_adam_that_train_alike_stay_with_mup_alone() -> None:
    """Of 256 hidden units, over those of 32: with the initialization of torch less than half."""
    moves = {
        mup: lowest_rate(Setting("adam", 256, mup)) / lowest_rate(Setting("adam", 32, mup))
        for mup in (False, True)
    }
    assert moves[False] < 0.4
    assert moves[True] == pytest.approx(1, rel=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_batch_of_16_times_as_many_examples_has_the_peak_of_the_rule(kind: Kind) -> None:
    small, large = Setting(kind, batch=8, steps=800), Setting(kind, batch=128, steps=50)
    measured = best_rate(large) / best_rate(small)
    moved = transfer_size(1.0, linear(), small.steps, kind, batch=16).peak
    assert abs(math.log(moved / measured)) < math.log(2)
    assert measured > 2
