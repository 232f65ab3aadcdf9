"""The search as bookkeeping: told scores, what does it do next?"""
# mypy: allow-untyped-calls, no-check-untyped-defs

import dataclasses
import math

import pytest

from autolr.candidate import Candidate
from autolr.online import Commit, Probe, Rung, Search

PEAKS = (0.1, 0.2, 0.4, 0.8)
FIRST, LAST = Rung(20, 6, keep=2), Rung(80, 24, keep=1)


def begun(rungs=(FIRST, LAST), tie=0.01):
    return Search(tuple(Candidate(peak=peak) for peak in PEAKS), rungs, tie)


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def test_it_probes_all_at_the_first_rung_the_best_two_at_the_next_and_commits():
    search = begun()
    assert search.action == Probe(search.alive, horizon=20, cooldown=6)
    search = search.observe([4.0, 2.0, 3.0, 1.0])
    assert peaks(search) == [0.2, 0.8]
    assert search.action == Probe(search.alive, horizon=80, cooldown=24)
    search = search.observe([1.0, 2.0])
    assert search.action == Commit(Candidate(peak=0.2))


def test_candidates_stay_in_the_order_of_their_peaks():
    assert peaks(begun().observe([2.0, 4.0, 1.0, 3.0])) == [0.1, 0.4]


def test_of_tied_scores_the_lower_peak_wins():
    only = begun((LAST,))
    assert peaks(only.observe([1.005, 1.009, 1.0, 1.004])) == [0.1]
    assert peaks(only.observe([1.02, 1.009, 1.0, 1.004])) == [0.2]


def test_a_tie_is_a_share_of_the_best_score_also_below_zero():
    only = begun((LAST,))
    assert peaks(only.observe([-0.98, -0.991, -1.0, -0.5])) == [0.2]


def test_the_best_score_survives_a_rung_of_two_before_all_that_are_not_tied():
    assert peaks(begun().observe([3.0, 2.0, 1.5, 1.0])) == [0.4, 0.8]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_loses(broken):
    search = begun().observe([broken, 2.0, 3.0, broken])
    assert peaks(search) == [0.2, 0.4]
    assert [score.score for score in search.scores] == [math.inf, 2.0, 3.0, math.inf]


def test_when_all_have_diverged_the_lowest_peak_goes_on():
    assert peaks(begun((LAST,)).observe([math.nan, math.inf, math.nan, math.inf])) == [0.1]


def test_every_score_is_kept_with_its_probe():
    search = begun().observe([4.0, 2.0, 3.0, 1.0]).observe([1.0, 2.0])
    told = [(s.candidate.peak, s.horizon, s.cooldown, s.score, s.kept) for s in search.scores]
    assert told == [
        (0.1, 20, 6, 4.0, False),
        (0.2, 20, 6, 2.0, True),
        (0.4, 20, 6, 3.0, False),
        (0.8, 20, 6, 1.0, True),
        (0.2, 80, 24, 1.0, True),
        (0.8, 80, 24, 2.0, False),
    ]


def test_a_dropped_candidate_is_probed_no_more_but_the_last_one_stays():
    search = begun()
    for candidate in search.alive:
        search = search.drop(candidate)
    assert peaks(search) == [0.8]
    assert search.observe([math.nan]).action == Probe(search.alive, 80, 24)


def test_as_many_scores_as_candidates_are_needed():
    with pytest.raises(ValueError, match="zip"):
        begun().observe([1.0, 2.0])


def test_a_search_is_frozen_and_observing_leaves_it_as_it_was():
    search = begun()
    search.observe([4.0, 2.0, 3.0, 1.0])
    search.drop(search.alive[0])
    assert search == begun()
    with pytest.raises(dataclasses.FrozenInstanceError):
        search.tie = 0.5
