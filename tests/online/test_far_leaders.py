"""A peak far from the user's own that leads a race by a first small gain."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr.online import SearchSettings, Thresholds
from autolr.online.search_serialization import search_from_dict, search_to_dict
from tests.online.test_longer_race import begun, most, peaks, seen

FAR = (2.29, 2.28, 2.27, 2.2, 2.12)  # of 2.3: the highest peak leads, and has gained 8 %


def test_it_races_on_against_the_own_one_and_one_between():
    search = seen(begun(own=0.025), *FAR)
    assert peaks(search) == [0.025, 1.6, 0.1]  # 0.1 and 0.4 are as near to the middle of both
    assert (search.action.continues, search.action.start, search.action.horizon) == (True, 20, 40)
    assert [s.kept for s in search.scores] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("scores", "winner"),
    [((2.2, 2.29, 1.9), 0.1), ((2.1, 1.5, 1.9), 1.6), ((1.9, 2.4, 2.3), 0.025)],
    ids=["has lost it", "has kept it", "was a mistake"],
)
def test_the_second_look_decides_as_a_race_does(scores, winner):
    search = seen(seen(begun(own=0.025), *FAR), *scores)
    assert search.alive[0].peak == winner
    assert not search.rounds[0].continues


@pytest.mark.parametrize(
    ("own", "first", "second", "tried"),
    [
        (0.025, FAR, (2.2, 2.29, 1.9), [0.1, 0.05]),
        (0.4, (2.29, 2.12, 2.27, 2.28, 2.5), (2.2, 2.3, 2.0), [0.1, 0.2]),
        (0.025, FAR, (2.1, 1.5, 1.9), [1.6, 0.8, 3.2]),
        (0.025, FAR, (1.9, 2.4, 2.3), [0.025, 0.0125, 0.05]),  # the own one
    ],
    ids=["one between", "one between below", "the leader", "the own one"],
)
def test_the_next_check_does_not_go_back_to_what_has_lost(own, first, second, tried):
    search = seen(seen(begun(own=own), *first), *second)
    assert [c.peak for c in search.alive if c != search.own] == tried
    assert search.rounds[0].refines


def test_rivals_that_diverge_as_they_race_on_lose():
    search = seen(begun(own=0.025), *FAR)
    own, leader, between = search.alive
    alone = seen(search.drop(leader).drop(between), 2.0)
    assert alone.alive[0].peak == own.peak
    assert seen(search.drop(leader), 2.2, 1.9).alive[0].peak == between.peak


def test_where_it_has_lost_all_the_own_rate_continues():
    search = seen(seen(begun(own=0.025), *FAR), 2.29, 2.31, 2.3)
    assert search.alive[0].peak == 0.025


@pytest.mark.parametrize(
    ("search", "scores"),
    [
        (begun(own=0.1), (2.29, 2.28, 2.27, 2.12, 2.2)),  # four times the own one
        (begun(own=0.025), (2.29, 2.28, 2.27, 2.2, 2.0)),  # 13 % of the first score
        (begun(own=0.025, thresholds=Thresholds(hint=0.0)), FAR),  # no peak is the user's
    ],
    ids=["is near", "has gained much", "no own one"],
)
def test_another_leader_wins_at_once(search, scores):
    after = seen(search, *scores)
    assert after.alive[0].peak == search.alive[scores.index(min(scores))].peak
    assert not after.rounds[0].continues


def test_it_is_paid_by_the_checks_behind_it():
    search = begun(own=0.025)
    longer = seen(search, *FAR)
    assert most(longer) <= most(search)
    assert longer.rounds[0].copies == 0
    assert search_from_dict(search_to_dict(longer)) == longer


def test_only_a_rate_that_the_user_has_set_is_trusted_so():
    settings = SearchSettings()
    own, none = (settings.begin(settings.run_info(1e-3, 500, 1e-3, own)) for own in (5e-4, None))
    assert own.state.search.thresholds.hint > 0
    assert none.state.search.thresholds.hint == 0
