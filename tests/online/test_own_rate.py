"""The user's own rate, which races on beside a run that has gone far from it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from dataclasses import replace

import pytest

from autolr.online.evidence import Evidence
from autolr.online.search_serialization import search_from_dict, search_to_dict
from tests.online.test_longer_race import begun, most, peaks, seen

WON = (2.2, 1.6, 1.5, 1.2, 1.7)  # 0.4 has won, of 0.00625 to 1.6
REFINED = (1.0, 1.1, 1.2)  # the run, at half and at twice the rate


def raced(own=0.025, **settings):
    return seen(begun(own=own, **settings), *WON)


def test_it_trains_on_beside_the_check_that_follows_the_race():
    search = raced()
    assert peaks(search) == [0.4, 0.2, 0.8, 0.025]
    assert search.action.own == search.alive[-1]
    assert (search.action.start, search.action.horizon) == (20, 36)


@pytest.mark.parametrize("own", [0.1, 1.6], ids=["below", "above"])
def test_so_it_does_from_four_times_the_winner_on_both_sides(own):
    assert raced(own).own.peak == own


@pytest.mark.parametrize(
    "search",
    [
        raced(0.4),
        raced(0.3),
        raced(near=0.4),
        seen(begun(own=0.025), 2.2, math.inf, *WON[2:]),
        seen(begun(own=0.025), 2.2, 1.8, *WON[2:]),
    ],
    ids=["has won", "is near", "an earlier search is trusted", "has diverged", "is far behind"],
)
def test_else_the_winner_has_its_rivals_alone(search):
    assert search.own is None
    assert search.action.own is None


def test_it_is_not_judged_before_the_end_of_the_second_check():
    search = seen(raced(), *REFINED, 0.5)  # the best of all
    assert peaks(search) == [0.4, 0.025]
    assert (search.action.start, search.action.horizon) == (36, 92)
    assert search.rounds[0].judges_own


def test_where_it_has_fallen_behind_the_second_check_has_rivals():
    search = seen(raced(), *REFINED, 1.2)  # a gain of 1.1, where the run's is 1.3
    assert search.own is None
    assert (search.action.start, search.action.horizon) == (72, 92)
    assert peaks(seen(raced(), *REFINED, math.inf))[:1] == [0.4]


def test_what_keeps_up_and_is_ahead_then_takes_the_place_of_the_run():
    search = seen(raced(), *REFINED, 1.1)
    assert seen(search, 0.8, 0.6).alive[0] == search.own
    assert seen(search, 0.8, 0.9).alive[0].peak == 0.4
    assert seen(search, 0.8, 0.6).own is None


def test_a_lead_within_the_noise_of_validation_changes_nothing():
    search = seen(raced(), *REFINED, 1.1)
    apart = (-0.3, 0.3, -0.2, 0.2)
    noisy = tuple(tuple(score + sign * x for x in apart) for score, sign in ((0.8, 1), (0.6, -1)))
    untrained = tuple(2.3 + x for x in apart)
    evidence = Evidence((0.8, 0.6), noisy, initial=2.3, initial_batches=untrained)
    assert search.observe(evidence).alive[0].peak == 0.4


def test_that_it_loses_says_nothing_of_lower_rates_later():
    search = seen(seen(raced(), *REFINED, 1.1), 0.8, 1.9)
    rivals = [r for r in raced(0.4).rounds if r.factors][-1]
    assert search.rounds[-1].horizon > rivals.horizon
    assert all(r.factors in ((), rivals.factors) for r in search.rounds)


def test_it_is_paid_by_the_checks_behind_it():
    search = begun(own=0.025)
    budget, spent = most(search), 0
    search = seen(search, *WON)
    for scores in ((*REFINED, 1.1), (0.8, 1.9)):
        now = search.rounds[0]
        spent += (len(search.alive) - 1) * (now.horizon - now.start)
        search = seen(search, *scores)
    assert spent == 3 * 16 + 56
    assert 0 <= most(search) <= budget - spent


def test_without_steps_for_it_the_search_goes_on_as_it_would():
    poor = begun(own=0.025)
    poor = replace(poor, rounds=(*poor.rounds[:1], *poor.rounds[-1:]), spare=0)
    assert seen(poor, *WON).own is None


def test_where_it_or_the_run_diverges_one_of_them_is_left():
    search = raced()
    assert search.drop(search.own).own is None
    assert seen(search.drop(search.own), *REFINED).action.own is None
    alone = search.drop(search.alive[0]).drop(search.alive[1]).drop(search.alive[2])
    assert (alone.alive[0].peak, alone.own) == (0.025, None)


def test_it_is_stored_with_the_search():
    search = raced()
    assert search_from_dict(search_to_dict(search)) == search
