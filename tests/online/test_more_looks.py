"""Comparisons that are held again, and searches that do not hold them."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Probe, Round, Search, Thresholds
from autolr.online.evidence import Evidence

PEAKS = (0.1, 0.4, 1.6)
CHECK = Round(60, 70, 6, factors=(0.5, 2.0))
LATER = Round(100, 180, 20, factors=(0.5, 2.0))
SCHEDULE = schedules.warmup(10) | schedules.constant()


def begun(**thresholds):
    candidates = tuple(Candidate(peak=peak, schedule=SCHEDULE) for peak in PEAKS)
    rounds = (Round(0, 20, 6), CHECK, LATER, Round(190, 200, 6))
    return Search(candidates, rounds, Thresholds(**thresholds), fallback=("fixed", 0.4), spare=1000)


def at_chance(search):
    return search.observe(Evidence((2.0, 2.0, 2.0), initial=2.0))


@pytest.mark.parametrize("longer", [2, 3])
def test_a_race_with_nothing_to_see_goes_on_as_long_as_the_threshold_says(longer):
    search = at_chance(begun(longer=longer))
    for time in range(1, longer):
        assert isinstance(search.action, Probe)
        assert (search.action.start, search.action.horizon) == (20 * time, 20 * time + 20)
        assert len(search.alive) == 3
        search = at_chance(search)
    assert not search.rounds[0].continues


def test_a_race_that_may_not_go_on_ends_at_the_peak_that_is_kept_in_doubt():
    search = at_chance(begun(longer=1))
    assert isinstance(search.action, Probe)
    assert search.action.start == CHECK.start
    assert search.alive[0].peak == 0.4


@pytest.mark.parametrize(("looks", "held_again"), [(1, False), (2, True)])
def test_a_lower_rate_that_leads_by_too_little_is_compared_as_often_as_the_threshold_says(
    looks, held_again
):
    raced = begun(looks=looks).observe(Evidence((1.5, 1.0, 1.5), initial=2.0))
    leads = raced.observe(Evidence((0.8, 0.79, 0.9), initial=2.0))  # 0.2 gained since the race
    assert isinstance(leads.action, Probe)
    assert (leads.action.start == CHECK.horizon) == held_again
