"""The schedule of a run that keeps the rate that its user has set."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
from dataclasses import replace

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Annealed, Round, Search
from autolr.online.evidence import Evidence
from autolr.online.search_serialization import search_from_dict, search_to_dict
from autolr.rules.fixed import OWN
from autolr.testing.played import Played
from autolr.testing.runs import run_of
from tests.online.test_longer_race import PEAKS, begun, seen

ANNEALED = schedules.warmup(6) | schedules.constant() | schedules.cooldown(0.4, "linear")
OWN_PEAK, RATE_AT_PEAKS = 0.1, {0.1: 1.0, 0.4: 1.5, 0.025: 1.5, 1.6: 1.9, 0.00625: 1.9}


def ended(losses=RATE_AT_PEAKS, **settings):
    """Return the rates of a run whose candidates have a loss each, 1.2 where none is given."""
    settings = {"chose_schedule": True, "averages": True, **settings}
    alive = tuple(Candidate(peak=peak, schedule=ANNEALED) for peak in PEAKS)
    search = replace(begun(own=OWN_PEAK, **settings), alive=alive)
    while search.rounds:
        search = seen(search, *[losses.get(one.peak, 1.2) for one in search.alive])
        assert search_from_dict(json.loads(json.dumps(search_to_dict(search)))) == search
    return search.alive[0].peak * search.alive[0].schedule.values(800)


def test_the_users_own_rate_that_wins_every_comparison_stays_constant():
    rates = ended()
    assert rates[[10, 400, 799]] == pytest.approx([OWN_PEAK] * 3)


@pytest.mark.parametrize(
    "settings",
    [
        {"averages": False},  # nothing stands for the fall that is left out
        {"chose_schedule": False},  # the user wants a fall
        {"favoured": 0.4},  # torch's own rate, which the user may not have chosen
    ],
)
def test_without_averages_or_a_choice_of_the_users_it_falls(settings):
    assert ended(**settings)[-1] < 0.01 * OWN_PEAK


@pytest.mark.parametrize("better", [0.4, 0.2, 0.05])
def test_any_other_rate_falls(better):
    rates = ended({**RATE_AT_PEAKS, better: 0.5})
    assert rates[400] == pytest.approx(better)
    assert rates[-1] < 0.01 * better


@pytest.mark.parametrize(("near", "falls"), [(None, False), (0.1, True)])
def test_the_peak_of_an_earlier_search_is_not_the_users(near, falls):
    run = Candidate(peak=OWN_PEAK, schedule=ANNEALED)
    watches = Round(100, 110, 5), Round(200, 210, 5)
    rule = {"chose_schedule": True, "averages": True, "fallback": (OWN, OWN_PEAK)}
    over = Search((run,), watches, near=near, **rule).observe(Evidence((1.0,)))
    assert (over.alive[0].schedule.values(800)[-1] < 0.01) == falls


def test_in_the_round_that_it_wins_as_a_rival_it_stays_the_candidate_that_has_trained():
    run, own = (Candidate(peak=peak, schedule=ANNEALED) for peak in (0.4, OWN_PEAK))
    rule = {"chose_schedule": True, "averages": True, "fallback": (OWN, OWN_PEAK)}
    rounds = Round(60, 115, 5, own=True), Round(200, 210, 5), Round(300, 310, 5)
    won = Search((run, own), rounds, own=own, **rule).observe(Evidence((1.0, 0.5)))
    assert won.alive == (own,)
    assert (
        won.observe(Evidence((0.4,))).alive[0].schedule
        == schedules.warmup(6) | schedules.constant()
    )


def test_a_search_is_told_whether_averages_are_compared():
    for ends in ((0.2,), ()):
        strategy = Annealed(ends=ends)
        begin = Played(strategy, run_of(strategy, 1000)).states[0]
        assert begin.search.averages == bool(begin.closing) == bool(ends)
