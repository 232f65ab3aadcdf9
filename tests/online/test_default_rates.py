"""Runs of an optimizer whose rate is torch's default, which the user may not have chosen."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math

import pytest

from autolr import schedules
from autolr.online import Annealed, SearchSettings
from autolr.online.evidence import Evidence
from autolr.online.search_serialization import search_from_dict, search_to_dict
from autolr.rules.fixed import OWN

CUSTOMARY, DEFAULT = 0.1, 1e-3  # of SGD
RACING = [DEFAULT, 0.00625, 0.025, 0.1, 0.4, 1.6]
START = 2.0
FLAT = [START] * len(RACING)


def begun(steps=2000, chosen=None, strategy="annealed", **settings):
    given = SearchSettings(strategy, **settings)
    run = given.run_info(CUSTOMARY, steps, DEFAULT if chosen is None else chosen, chosen)
    return given.begin(run).state.search


def seen(search, *scores, initial=START):
    search = search.observe(Evidence(scores, initial=initial))
    assert search_from_dict(json.loads(json.dumps(search_to_dict(search)))) == search
    return search


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def test_it_races_beside_those_around_the_customary_one():
    assert peaks(begun()) == pytest.approx(RACING)
    assert peaks(begun(rates=(1e-2, 1.0))) == pytest.approx([1e-2, 10**-1.5, 0.1, 10**-0.5, 1.0])
    assert len(peaks(begun(chosen=DEFAULT))) == 5  # one that is set has the race around it


def test_it_wins_what_it_is_better_in_and_no_tie():
    assert peaks(seen(begun(), 0.5, 1.0, 1.0, 1.0, 1.0, 1.0))[0] == DEFAULT
    assert peaks(seen(begun(), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0))[0] == CUSTOMARY


def test_it_stays_where_a_race_that_cannot_continue_shows_nothing():
    search = begun(strategy=Annealed(checks=()))
    (run,) = seen(search, *FLAT).alive
    assert run.peak == DEFAULT
    rates = run.schedule.values(2000)[search.rounds[0].horizon :]
    assert set(rates) == {1.0}
    assert run.schedule != schedules.constant()  # its first steps were those of the race


def test_a_race_that_shows_nothing_goes_on_with_it_and_the_customary_one():
    longer = seen(begun(), *FLAT)
    assert peaks(longer) == pytest.approx([DEFAULT, 1.6, CUSTOMARY])
    assert peaks(seen(longer, 1.9, 1.2, 1.3))[0] == CUSTOMARY  # which has left the start
    assert longer.rounds[0].continues
    for _ in range(2):
        longer = seen(longer, *[START] * 3)
    assert peaks(longer)[0] == DEFAULT


@pytest.mark.parametrize("initial", [START, None])
def test_it_stays_where_no_score_is_finite(initial):
    search = seen(begun(), *[math.nan] * len(RACING), initial=initial)
    assert peaks(search)[0] == DEFAULT
    search = seen(search, *[math.nan] * len(search.alive), initial=initial)
    assert (peaks(search), search.rounds) == ([DEFAULT], ())


@pytest.mark.parametrize("steps", [1, 20])
def test_it_stays_in_a_run_too_short_to_search(steps):
    search = begun(steps)
    assert (peaks(search), search.rounds) == ([DEFAULT], ())
    assert search.fallback == (OWN, DEFAULT)
