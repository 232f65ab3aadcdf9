"""Replayed tuners: what they find and what they book, on curves with known answers."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from itertools import count

import pandas as pd
import pytest

from examples.time_to_target.loop import CHECKPOINTS, PROFILES, checkpoints
from examples.time_to_target.oracle import COLUMNS
from examples.time_to_target.replay import TUNERS, Recording
from examples.time_to_target.studies import gaussian_process, tpe_hyperband

STEPS = 270  # a 27th of it is 10 steps


def table(*runs):
    """Return a grid of runs (peak, profile, losses at the 13 checkpoints, steps)."""
    rows = [
        ["task", 0, peak, profile, losses[-1], *losses, steps, math.isinf(losses[-1])]
        for peak, profile, losses, steps in runs
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def flat(loss):
    return [loss] * len(CHECKPOINTS)


def seen_by(recording, peak, profile="linear"):
    losses = []
    steps = recording.run(peak, profile, lambda _, loss: losses.append(loss))
    return losses, steps


def grid():
    """Return runs whose loss is the distance of their peak to 0.01, in decades."""
    peaks = [10.0 ** (-4 + k / 2) for k in range(9)]
    return table(
        *((p, name, flat(1 + abs(math.log10(p) + 2)), STEPS) for p in peaks for name in PROFILES)
    )


class Counting:
    """A source that books on its own how far each run came; run n has the loss ``losses(n)``."""

    def __init__(self, losses):
        self.steps, self.low, self.high = STEPS, 1e-3, 1.0
        self.made = []
        self._losses = losses

    def run(self, peak, profile, report):
        loss = next(self._losses)
        self.made.append(0)
        for number, steps in enumerate(checkpoints(STEPS)):
            self.made[-1] = steps
            report(number, loss)
        return STEPS


def test_the_nearest_run_of_the_grid_is_replayed_in_log_rate_and_within_its_profile():
    runs = table(
        (0.1, "linear", flat(1.0), STEPS),
        (1.0, "linear", flat(2.0), STEPS),
        (0.3, "cosine", flat(3.0), STEPS),
    )
    recording = Recording(runs, STEPS)
    assert seen_by(recording, 0.31) == (flat(1.0), STEPS)
    assert seen_by(recording, 0.32) == (flat(2.0), STEPS)
    assert seen_by(recording, 0.9, "cosine") == (flat(3.0), STEPS)


def test_a_run_that_diverged_is_replayed_and_booked_until_then():
    losses = [5.0, 4.0] + [math.inf] * 11
    recording = Recording(table((0.1, "linear", losses, 60)), STEPS)
    assert seen_by(recording, 0.1) == ([5.0, 4.0, math.inf], 60)


def test_no_runs_to_replay_are_an_error():
    with pytest.raises(LookupError, match="no runs"):
        Recording(table(), STEPS)


def test_without_pruning_the_price_is_the_number_of_runs():
    source = Counting(count(1))
    result = gaussian_process(source, 4, seed=0)
    assert source.made == [STEPS] * 4
    assert (result.total_steps, result.validation_passes) == (4 * STEPS, 4)
    assert result.final == 1


def test_a_trial_that_is_worse_than_all_before_is_pruned_at_its_brackets_first_rung():
    source = Counting(count(1))
    result = tpe_hyperband(source, 10, seed=0)
    assert source.made[0] == STEPS  # the first one has no rival to lose to
    assert set(source.made) <= {10, 30, 90, STEPS}
    assert {10, 30} <= set(source.made)
    assert result.final == 1


@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("seed", range(5))
def test_hyperband_books_every_step_and_stays_within_its_budget(runs, seed):
    source = Counting((7 * n) % 11 for n in count(seed))
    result = tpe_hyperband(source, runs, seed=seed)
    assert result.total_steps == sum(source.made)
    assert runs * STEPS - 10 < result.total_steps <= runs * STEPS
    rungs = sum(1 + (made >= 30) + (made >= 90) + (made == STEPS) for made in source.made)
    assert result.validation_passes == rungs


@pytest.mark.parametrize("tuner", ["tpe_hyperband_3", "tpe_hyperband_10", "gp_5"])
def test_a_replay_is_reproducible_and_finds_a_run_of_the_grid(tuner):
    recording = Recording(grid(), STEPS)
    result = TUNERS[tuner](recording, seed=3)
    assert result == TUNERS[tuner](recording, seed=3)
    assert result.final in set(grid().final)
    assert recording.low <= result.peak <= recording.high


def test_when_all_runs_diverge_nothing_is_found():
    runs = table(*((0.1, name, [math.inf] * 13, 10) for name in PROFILES))
    result = tpe_hyperband(Recording(runs, STEPS), 1, seed=0)
    assert math.isinf(result.final)
    assert math.isnan(result.peak)
    assert result.total_steps == STEPS
