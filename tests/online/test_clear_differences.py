"""What noise between validation batches leaves undecided: a winner, and a side that has lost."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr.online import Thresholds
from autolr.online.evidence import Evidence
from tests.online.test_longer_race import START, begun, peaks

BATCHES = (0.2, -0.2, 0.1, -0.1)  # of each score, for four batches


def seen(search, scores, noise):
    """Return the search behind a round whose differences have about that standard error."""
    by_batch = tuple(
        tuple(score + (-1) ** i * noise * each * 10 for each in BATCHES)
        for i, score in enumerate(scores)
    )
    evidence = Evidence(tuple(scores), by_batch, START, (START,) * len(BATCHES))
    return search.observe(evidence)


def error(noise):
    scores = tuple(tuple((-1) ** i * noise * each * 10 for each in BATCHES) for i in (0, 1))
    return Evidence((0.0, 0.0), scores).noise(0, 1)


@pytest.mark.parametrize(("noise", "winner"), [(0.001, 0.4), (0.05, 0.1)])
def test_a_peak_that_leads_by_less_than_two_standard_errors_leaves_the_users(noise, winner):
    scores = (2.0, 2.0, 1.62, 1.5, 2.0)
    assert (2 * error(noise) < 0.12) == (winner == 0.4)
    assert error(noise) < 0.12
    assert seen(begun(own=0.1), scores, noise).alive[0].peak == winner


@pytest.mark.parametrize(("noise", "sides"), [(0.0001, (2.0,)), (0.02, (0.5, 2.0))])
def test_a_side_is_ruled_out_by_two_standard_errors(noise, sides):
    raced = seen(begun(own=0.1), (2.0, 2.0, 1.5, 1.9, 2.0), 0.0)
    assert peaks(raced) == [0.1, 0.05, 0.2]
    after = seen(raced, (1.4, 1.42, 1.402), noise)
    assert 2 * error(0.0001) < 0.02
    assert 2 * error(0.02) > 0.02
    assert after.alive[0].peak == 0.1
    assert next(now.factors for now in after.rounds if now.factors) == sides


@pytest.mark.parametrize(("run", "sides"), [(1.4, (2.0,)), (1.6, (0.5, 2.0))])
def test_a_run_that_gets_worse_rules_out_no_lower_rate(run, sides):
    raced = seen(begun(own=0.1), (2.0, 2.0, 1.5, 1.9, 2.0), 0.0)
    after = seen(raced, (run, run + 0.02, run + 0.002), 0.0)
    assert after.alive[0].peak == 0.1
    assert next(now.factors for now in after.rounds if now.factors) == sides


def test_a_run_that_gets_worse_rules_out_higher_rates_that_are_worse_still():
    raced = seen(begun(own=0.1), (2.0, 2.0, 1.5, 1.9, 2.0), 0.0)
    after = seen(raced, (1.6, 1.61, 1.7), 0.0)
    assert {now.factors for now in after.rounds if not now.from_saved} == {(0.5,), ()}


@pytest.mark.parametrize("noise", [0.0, None], ids=["known", "not known"])
def test_near_a_loss_of_zero_the_highest_peak_is_not_followed_where_the_noise_is_not_known(noise):
    raced = seen(begun(own=1.6, ends=(0.00625, 1.6)), (2.0, 2.0, 1.5, 1.2, 0.1), 0.0)
    assert peaks(raced) == [1.6, 6.4, 3.2]
    scores = (0.05, 0.01, 0.02)  # a lead of 2 % of what the run has gained
    known = noise is not None
    after = seen(raced, scores, noise) if known else raced.observe(Evidence(scores, initial=START))
    assert after.alive[0].peak == (6.4 if known else 1.6)


@pytest.mark.parametrize("noise", [0.0, None], ids=["known", "not known"])
def test_where_it_is_not_known_a_rival_leads_by_a_hundredth(noise):
    raced = seen(begun(own=0.1), (2.0, 2.0, 0.3, 1.9, 2.0), 0.0)
    scores = (0.3, 0.298, 0.4)  # a lead of 0.7 % of the score, by a lower rate
    margin = Thresholds().unknown * 0.3
    assert Thresholds().margin * 0.3 < 0.002 < margin
    now = seen(raced, scores, noise) if noise is not None else raced.observe(Evidence(scores))
    assert now.alive[0].peak == (0.05 if noise is not None else 0.1)
