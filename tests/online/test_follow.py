"""A winner at the edge of the peak_range: where is looked next?"""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from dataclasses import replace

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Annealed, PeakRange, Round, Search, Thresholds
from autolr.online.evidence import Evidence
from autolr.online.rounds import outward, price
from autolr.online.search_serialization import search_from_dict, search_to_dict
from tests.online.runs import search_of

PEAKS = (0.1, 0.4, 1.6)
FACTORS = (0.5, 2.0)
ROUNDS = (
    Round(0, 20, 6),
    Round(30, 40, 6, factors=FACTORS, refines=True),
    Round(60, 70, 6, factors=FACTORS),
    Round(90, 100, 6, factors=FACTORS),
    Round(120, 130, 6),
)
THRESHOLDS = Thresholds(tie=0.03, margin=0.003, stall=0.25, settled=math.inf, band=0.5)


def raced(scores, **settings):
    """Return a search that has raced to these scores."""
    alive = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS)
    ends = {"ends": (PEAKS[0], PEAKS[-1]), **settings}
    return Search(alive, ROUNDS, THRESHOLDS, **ends).observe(Evidence(tuple(scores)))


def rivals(search):
    """Return the rates of the rivals in units of the run's, where they are born, rising."""
    run, *others = search.alive
    step = search.rounds[0].start
    now = run.peak * run.schedule.at(step, 200)
    return sorted(round(c.peak * c.schedule.at(step, 200) / now, 12) for c in others)


def test_a_winner_within_the_range_is_compared_with_lower_and_higher_rates():
    assert rivals(raced([2.0, 1.0, 2.0])) == [0.5, 2.0]


def test_all_rivals_of_the_highest_peak_are_higher_and_of_the_lowest_lower():
    assert rivals(raced([3.0, 2.0, 1.0])) == [2.0, 4.0]
    assert rivals(raced([1.0, 2.0, 3.0])) == [0.25, 0.5]
    assert [c.peak for c in raced([3.0, 2.0, 1.0]).alive] == [1.6, 6.4, 3.2]
    assert [c.peak for c in raced([1.0, 2.0, 3.0]).alive] == [0.1, 0.05, 0.025]


def test_the_lowest_peak_is_not_followed_if_it_won_by_a_tie():
    assert raced([1.01, 1.0, 2.0]).alive[0].peak == 0.1
    assert rivals(raced([1.01, 1.0, 2.0])) == [0.5, 2.0]


def test_where_all_diverge_lower_rates_are_looked_for():
    assert rivals(raced([math.inf] * 3)) == [0.25, 0.5]


def test_a_highest_peak_that_was_dropped_shuts_that_side():
    alive = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS)
    search = Search(alive, ROUNDS, THRESHOLDS, ends=(0.1, 1.6)).drop(alive[-1])
    assert rivals(search.observe(Evidence((2.0, 1.0)))) == [0.5, 2.0]


def test_as_long_as_the_outermost_wins_it_is_followed():
    search = raced([3.0, 2.0, 1.0]).observe(Evidence((0.8, 0.5, 0.7)))
    assert search.alive[0].peak == 6.4
    assert rivals(search) == [2.0, 4.0]
    search = search.observe(Evidence((0.45, 0.2, 0.3)))
    assert search.alive[0].peak == 25.6
    assert rivals(search) == [2.0, 4.0]
    assert search.observe(Evidence((0.2, 0.1, 0.1))).alive == (
        search.alive[2],
    )  # of equals the lower


@pytest.mark.parametrize(("scores", "peak"), [([0.5, 0.7, 0.8], 1.6), ([0.8, 0.7, 0.5], 3.2)])
def test_once_it_does_not_both_sides_are_compared_again(scores, peak):
    search = raced([3.0, 2.0, 1.0]).observe(Evidence(tuple(scores)))
    assert search.alive[0].peak == peak
    assert rivals(search) == [0.5, 2.0]


def test_a_higher_rate_must_win_as_clearly_as_in_the_race():
    """Early scores flatter high rates: of those within 3 % the lowest is taken."""
    search = raced([3.0, 2.0, 1.0])
    assert search.observe(Evidence((0.82, 0.8, 0.81))).alive[0].peak == 1.6
    assert search.observe(Evidence((0.83, 0.8, 0.82))).alive[0].peak == 3.2
    assert search.observe(Evidence((0.83, 0.8, 0.83))).alive[0].peak == 6.4


def test_a_lower_rate_must_win_by_the_margin_of_a_check():
    search = raced([1.0, 2.0, 3.0])
    assert search.observe(Evidence((0.8, 0.799, 0.799))).alive[0].peak == 0.1
    search = search.observe(Evidence((0.8, 0.79, 0.78)))
    assert search.alive[0].peak == 0.025
    assert rivals(search) == [0.25, 0.5]
    assert sorted(c.peak for c in search.alive[1:]) == [0.00625, 0.0125]


def test_a_run_that_was_put_back_is_not_followed():
    search = raced([3.0, 2.0, 1.0]).observe(Evidence((0.8, 0.5, 0.7)))
    assert search.recover(50).rollbacks
    assert rivals(search.recover(50)) == [0.5, 2.0]
    lost = search.observe(Evidence((math.nan,) * 3))
    assert lost.rollbacks
    assert rivals(lost) == [0.5, 2.0]


def test_limits_are_not_exceeded_and_a_winner_at_one_is_compared_within():
    limited = {"lowest": 0.1, "highest": 1.6}
    assert rivals(raced([3.0, 2.0, 1.0], **limited)) == [0.5]
    assert rivals(raced([1.0, 2.0, 3.0], **limited)) == [2.0]
    assert rivals(raced([3.0, 2.0, 1.0], highest=6.4)) == [2.0, 4.0]
    search = raced([3.0, 2.0, 1.0], highest=6.4).observe(Evidence((0.8, 0.5, 0.7)))
    assert rivals(search) == [0.5]


def test_below_the_lowest_peak_a_later_check_may_still_lower_the_schedule():
    search = raced([1.0, 2.0, 3.0], lowest=0.1, highest=1.6).observe(Evidence((0.8, 0.9)))
    assert [c.peak for c in search.alive] == [0.1, 0.1, 0.2]
    assert rivals(search) == [0.5, 2.0]


def test_given_rates_are_limits_and_the_customary_range_is_none():
    free = search_of(Annealed(), PeakRange.around(0.1), None, 1000, 250)
    assert (free.lowest, free.highest) == (0.0, math.inf)
    assert free.ends == (0.1 / 16, 1.6)
    given = search_of(Annealed(), PeakRange.between(0.01, 1.0), None, 1000, 250)
    assert (given.lowest, given.highest) == (0.01, 1.0)


def test_a_single_racer_has_no_edge():
    search = search_of(Annealed(candidates=1), PeakRange.around(0.1), None, 1000, 250)
    assert rivals(search.observe(Evidence((1.0,)))) == [0.5, 2.0]


def test_to_follow_costs_no_more_than_not_to():
    search = search_of(Annealed(), PeakRange.around(0.1), None, 1000, 250)
    search = replace(search, fallback=None)  # the user has set no rate that would race on
    spent, expected, score = 0, price(search.rounds, 5), 1.0
    while search.rounds:
        now = search.rounds[0]
        spent += (len(search.alive) - 1) * (now.horizon - now.start)
        score /= 2
        rising = sorted(search.alive, key=lambda c: c.peak, reverse=True)
        search = search.observe(
            Evidence(tuple([score * (1 + rising.index(c)) for c in search.alive]))
        )
    assert search.alive[0].peak == 1.6 * 4**3
    assert spent == expected


def test_factors_that_point_inward_are_turned_round_and_squared():
    assert outward((0.5, 2.0), up=True) == (4.0, 2.0)
    assert outward((0.5, 2.0), up=False) == (0.5, 0.25)
    assert outward((0.25,), up=True) == (16.0,)
    assert outward((), up=True) == ()


def test_a_search_on_its_way_out_is_stored_and_read_again():
    search = raced([3.0, 2.0, 1.0], lowest=0.05)
    assert search.ends == (0.0, 6.4)
    assert search_from_dict(search_to_dict(search)) == search
