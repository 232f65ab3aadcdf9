"""What scores say."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import numpy as np
import pytest

from autolr.online.evidence import Evidence
from autolr.online.noise import standard_error

BATCHES = np.random.default_rng(0).normal(2.3, 0.2, size=20)


def evidence(scores, shift=0.0, **known):
    """Return scores whose batches scatter about them alike, after a start at 2.3."""
    batches = tuple(tuple(BATCHES - BATCHES.mean() + score) for score in scores)
    start = tuple(BATCHES - BATCHES.mean() + 2.3 + shift)
    return Evidence(tuple(scores), batches, 2.3, start, **known)


def test_the_error_of_a_difference_is_that_of_paired_batches():
    other = BATCHES + np.random.default_rng(1).normal(0, 0.01, size=20)
    error = standard_error(tuple(BATCHES), tuple(other))
    assert error == pytest.approx((BATCHES - other).std(ddof=1) / math.sqrt(20), rel=1e-12)
    assert error < BATCHES.std() / math.sqrt(20) / 10  # what all batches share is no noise
    assert standard_error((1.0, 2.0), (1.0, 3.0)) == 0.0  # of too few nothing is known
    assert standard_error((1.0,) * 4, (1.0, math.inf, 1.0, 1.0)) == math.inf


def test_a_score_that_is_not_a_number_counts_as_diverged():
    assert Evidence((math.nan, 1.0, -math.inf)).scores == (math.inf, 1.0, math.inf)


def test_progress_is_from_the_untrained_run():
    assert evidence((2.2, 2.1)).progress == pytest.approx(0.2)
    assert math.isnan(Evidence((2.2, 2.1)).progress)
    assert math.isnan(Evidence((2.2, 2.1), initial=math.inf).progress)


def test_what_cannot_be_told_from_the_start_shows_nothing_and_so_does_a_small_gain_at_first():
    assert evidence((2.29, 2.28)).nothing_to_see(0.03)
    assert not evidence((2.29, 2.2)).nothing_to_see(0.03)
    assert not evidence((2.29, 2.28)).nothing_to_see(0.0)  # all batches gain alike: no noise
    noisy = tuple(np.roll(BATCHES, 1) - BATCHES.mean() + 2.28)
    assert Evidence((2.28,), (noisy,), 2.3, tuple(BATCHES)).nothing_to_see(0.0)
    assert not Evidence((2.28,)).nothing_to_see(0.03)  # without a first score nothing is known


def test_a_score_of_a_large_constant_part_is_progress_as_soon_as_it_is_no_noise():
    start = tuple(BATCHES + 138)
    seen = Evidence((137.0,), (tuple(BATCHES + 136),), 138.0, start)
    assert seen.nothing_to_see(0.03)
    assert not seen.nothing_to_see(0.0)


def test_a_candidate_that_loses_many_more_units_than_the_others_is_dying():
    seen = evidence((2.2, 2.1, math.inf), inactive=(0.1, 0.35, 0.0))
    assert [seen.is_dying(index) for index in range(2)] == [False, True]
    assert not evidence((2.2, 2.1)).is_dying(1)  # nothing is known


def test_harm_is_to_diverge_to_die_or_to_be_worse_than_untrained():
    seen = evidence((2.3, 2.36, 2.4, math.inf, 2.2), inactive=(0.0, 0.0, 0.0, 0.0, 0.5))
    assert [seen.does_harm(i, 0.03) for i in range(5)] == [False, False, True, True, True]
