"""The search in pure code: which action follows which scores?"""
# mypy: allow-untyped-calls, no-check-untyped-defs

import dataclasses
import math

import numpy as np
import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Commit, Probe, RollbackRecord, Round, Search, Thresholds
from autolr.online.evidence import Evidence
from autolr.online.reschedule import scaled

PEAKS = (0.1, 0.2, 0.4, 0.8)
RACE = Round(0, 20, 6)
REFINE = Round(30, 40, 6, factors=(0.5, 2.0), refines=True)
LOWER = Round(60, 70, 6, factors=(0.25,))
WATCHES = tuple(Round(step - 6, step, 6) for step in range(30, 200, 10))
THRESHOLDS = Thresholds(
    tie=0.01, margin=0.003, unknown=0.003, stall=0.25, band=0.02, cut=0.5, rollbacks=3
)
SCHEDULE = schedules.warmup(10) | schedules.constant() | schedules.cooldown(0.2, "linear")


def begun(*later, **settings):
    candidates = tuple(Candidate(peak=peak, schedule=SCHEDULE) for peak in PEAKS)
    return Search(candidates, (RACE, *later), THRESHOLDS, **settings)


def raced(*later, best=0.4, score=1.0, **settings):
    """Return a search whose race is over."""
    scores = [score if peak == best else score + 1 for peak in PEAKS]
    return begun(*later, **settings).observe(Evidence(tuple(scores)))


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def rates(candidate, steps=200):
    return candidate.peak * candidate.schedule.values(steps)


# --- the race


def test_all_race_and_the_best_continues_to_the_end():
    search = begun()
    assert search.action == Probe(search.alive, start=0, horizon=20, window=6, counts_inactive=True)
    assert search.observe(Evidence((4.0, 1.0, 3.0, 2.0))).action == Commit(search.alive[1])


def test_of_tied_scores_in_the_race_the_lowest_peak_wins():
    assert peaks(begun().observe(Evidence((1.005, 1.009, 1.0, 1.004)))) == [0.1]
    assert peaks(begun().observe(Evidence((1.02, 1.009, 1.0, 1.004)))) == [0.2]
    assert peaks(begun().observe(Evidence((1.009, 1.02, 1.015, 1.0)))) == [
        0.1
    ]  # a hill between them
    assert peaks(begun().observe(Evidence((1.02, 1.015, 1.011, 1.0)))) == [0.8]


def test_where_nothing_has_begun_to_learn_a_tie_leads_no_further_down_than_a_16th_of_the_middle():
    alive = tuple(Candidate(peak=peak, schedule=SCHEDULE) for peak in (1e-4, 1e-3, 1e-2, 0.1, 1.0))
    flat = Search(alive, (RACE,), THRESHOLDS)
    assert flat.observe(Evidence((2.3, 2.3, 2.3, 2.3, 2.3))).alive[0].peak == 1e-3
    assert flat.observe(Evidence((2.0, 2.3, 2.3, 2.3, 2.3))).alive[0].peak == 1e-4


def test_a_tie_is_a_share_of_the_best_score_also_below_zero():
    assert peaks(begun().observe(Evidence((-0.98, -0.991, -1.0, -0.5)))) == [0.2]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_loses(broken):
    search = begun().observe(Evidence((broken, 2.0, 3.0, broken)))
    assert peaks(search) == [0.2]
    assert [score.score for score in search.scores] == [math.inf, 2.0, 3.0, math.inf]


def test_when_all_have_diverged_the_lowest_peak_continues():
    assert peaks(begun().observe(Evidence((math.nan, math.inf, math.nan, math.inf)))) == [0.1]


def test_a_dropped_candidate_is_probed_no_more_but_the_last_one_stays():
    search = begun()
    for candidate in search.alive:
        search = search.drop(candidate)
    assert peaks(search) == [0.8]
    assert search.action == Probe(search.alive, 0, 20, 6)


def test_as_many_scores_as_candidates_are_needed():
    with pytest.raises(ValueError, match="2 scores of 4 candidates"):
        begun().observe(Evidence((1.0, 2.0)))


def test_every_score_is_kept_with_its_probe():
    search = begun(REFINE).observe(Evidence((4.0, 3.0, 2.0, 1.0)))
    search = search.observe(Evidence((1.0, 1.0, 0.5)))
    recorded = [(s.candidate.peak, s.start, s.horizon, s.score, s.kept) for s in search.scores]
    assert recorded == [
        (0.1, 0, 20, 4.0, False),
        (0.2, 0, 20, 3.0, False),
        (0.4, 0, 20, 2.0, False),
        (0.8, 0, 20, 1.0, True),
        (0.8, 30, 40, 1.0, False),
        (0.4, 30, 40, 1.0, False),
        (1.6, 30, 40, 0.5, True),
    ]


def test_a_search_is_frozen_and_observing_leaves_it_as_it_was():
    search = begun(REFINE)
    search.observe(Evidence((4.0, 2.0, 3.0, 1.0)))
    search.drop(search.alive[0])
    assert search == begun(REFINE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        search.highest = 0.5


# --- rivals in mid-run


def test_the_winner_is_compared_with_copies_at_other_rates_made_in_mid_run():
    search = raced(REFINE, LOWER)
    assert search.action == Probe(search.alive, start=30, horizon=40, window=6)
    run, half, double = search.alive
    assert peaks(search) == [0.4, 0.2, 0.8]
    for rival, factor in ((half, 0.5), (double, 2.0)):
        ours, theirs = rates(run), rates(rival)
        np.testing.assert_allclose(theirs[:30], ours[:30], rtol=1e-15)
        np.testing.assert_allclose(theirs[30:], factor * ours[30:], rtol=1e-15)


def test_a_rival_that_wins_is_the_run_of_the_next_check():
    search = raced(REFINE, LOWER).observe(Evidence((1.0, 0.5, 2.0)))
    run, quarter = search.alive
    assert (run.peak, quarter.peak) == (0.2, 0.2)
    np.testing.assert_allclose(rates(quarter)[60:], 0.25 * rates(run)[60:], rtol=1e-15)
    assert search.observe(Evidence((1.0, 0.4))).action == Commit(quarter)


def test_a_rival_must_be_better_than_the_run_by_the_margin():
    for score, winner in [(1.0, 0.4), (0.998, 0.4), (0.996, 0.8)]:
        assert raced(REFINE).observe(Evidence((1.0, 2.0, score))).alive[0].peak == winner
    for score, winner in [(-1.0, 0.4), (-1.002, 0.4), (-1.004, 0.2)]:
        # the margin is of what lies between the first score and now, 1.0 here too
        assert (
            raced(REFINE, score=0.0).observe(Evidence((-1.0, score, 0.0))).alive[0].peak == winner
        )


def test_the_margin_does_not_vanish_where_scores_pass_zero():
    search = raced(REFINE, score=1.0)
    assert search.observe(Evidence((0.0, -0.002, 1.0))).alive[0].peak == 0.4
    assert search.observe(Evidence((0.0, -0.004, 1.0))).alive[0].peak == 0.2


def test_after_the_refinement_a_lower_rate_must_gain_a_share_of_what_the_run_gained():
    # the run fell from 1.0 to 0.6: a quarter of that, and the margin of 0.003 times 0.6; a higher
    # rate, which looks worse than it is, only needs the margin
    higher = Round(60, 70, 6, factors=(2.0,))
    for later, near in ((LOWER, 0.51), (higher, 0.5985)):
        for score, rival_wins in [(near, False), (0.497, True)]:
            search = raced(later, score=1.0)
            result = search.observe(Evidence((0.6, score))).action
            assert result == Commit(search.alive[rival_wins])
    # a run that has gained nothing sets no such bar, and neither has a rate that is refined
    search = raced(LOWER, score=1.0)
    assert search.observe(Evidence((1.01, 1.0))).action == Commit(search.alive[1])
    assert raced(REFINE, score=1.0).observe(Evidence((0.6, 0.59, 1.0))).alive[0].peak == 0.2


def test_of_a_run_and_rivals_that_are_not_finite_any_finite_one_continues():
    assert raced(REFINE).observe(Evidence((math.nan, 9.0, math.inf))).alive[0].peak == 0.2


def test_no_rival_exceeds_the_highest_peak():
    assert peaks(raced(REFINE, best=0.8, highest=0.8)) == [0.8, 0.4]
    assert peaks(raced(REFINE, best=0.4, highest=0.8)) == [0.4, 0.2, 0.8]


def test_a_rival_or_the_run_that_is_dropped_in_mid_run_leaves_the_others():
    search = raced(REFINE)
    run, half, double = search.alive
    assert search.drop(double).alive == (run, half)
    without_run = search.drop(run)
    assert without_run.alive == (half, double)
    assert without_run.observe(Evidence((1.0, 2.0))).action == Commit(half)


# --- what happened before, written into the schedule


def test_a_peak_is_refined_and_the_steps_before_keep_their_rates():
    flat = Candidate(peak=0.1, schedule=schedules.constant())
    result = scaled(flat, 3, 4.0, refines=True)
    assert result.peak == 0.4
    assert result.schedule.values(6).tolist() == [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]
    result = scaled(flat, 3, 0.5, refines=True)
    assert result.peak == 0.05
    assert result.schedule.values(6).tolist() == [2.0, 2.0, 2.0, 1.0, 1.0, 1.0]


def test_without_refining_the_peak_stays_and_the_schedule_is_cut():
    rise = Candidate(peak=0.1, schedule=schedules.warmup(2) | schedules.constant())
    result = scaled(rise, 3, 0.25, refines=False)
    assert result.peak == 0.1
    expected = rise.schedule.values(6) * [1, 1, 1, 0.25, 0.25, 0.25]
    assert result.schedule.values(6).tolist() == expected.tolist()


@pytest.mark.parametrize("refines", [True, False])
@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 3.0])
def test_rates_before_are_the_same_and_those_after_times_the_factor(factor, refines):
    before = Candidate(peak=0.3, schedule=SCHEDULE)
    after = scaled(before, 50, factor, refines=refines)
    expected = rates(before) * np.where(np.arange(200) < 50, 1, factor)
    np.testing.assert_allclose(rates(after), expected, rtol=1e-15)


def test_a_rate_that_rises_raises_the_peak_so_that_no_multiplier_exceeds_1():
    result = scaled(Candidate(peak=0.3, schedule=SCHEDULE), 50, 2.0, refines=False)
    assert result.peak == 0.6
    assert result.schedule.values(200).max() == 1


def test_changes_at_several_steps_multiply():
    run = Candidate(peak=1.0, schedule=schedules.constant())
    run = scaled(run, 2, 2.0, refines=True)
    run = scaled(run, 4, 0.5, refines=False)
    run = scaled(run, 6, 0.25, refines=False)
    assert rates(run, 8).tolist() == [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.25, 0.25]
    assert Candidate.from_dict(run.to_dict()) == run


# --- the run and its own past


def test_a_round_without_rivals_only_watches():
    search = raced(*WATCHES)
    assert search.action == Probe((search.alive[0],), 24, 30, 6)
    assert search.observe(Evidence((0.9,))).alive == search.alive


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_sends_the_run_back_too(score):
    back = raced(*WATCHES).observe(Evidence((score,)))
    assert back.rollbacks == (RollbackRecord(step=30, to=20, factor=0.5, score=math.inf),)


def test_after_a_commitment_nothing_is_judged():
    search = raced()
    assert isinstance(search.action, Commit)
    assert (search.rounds, search.rollbacks) == ((), ())


# --- a loss that is not finite


def test_a_run_whose_loss_is_not_finite_goes_back_and_its_rivals_are_given_up():
    search = raced(REFINE, LOWER)
    back = search.recover(33)
    assert back.rollbacks == (RollbackRecord(step=33, to=20, factor=0.5, score=math.inf),)
    assert back.alive == (scaled(search.alive[0], 33, 0.5, refines=False),)
    assert back.action == Probe(back.alive, 30, 40, 6)


def test_before_its_rivals_exist_they_are_copies_of_the_recovered_run():
    for step in (25, 30):
        search = raced(REFINE).recover(step)
        run, half, double = search.alive
        assert run == scaled(raced().alive[0], step, 0.5, refines=False)
        np.testing.assert_allclose(rates(half)[30:], rates(run)[30:] / 2, rtol=1e-15)
        np.testing.assert_allclose(rates(double)[30:], rates(run)[30:] * 2, rtol=1e-15)
        np.testing.assert_allclose(rates(double)[:30], rates(run)[:30], rtol=1e-15)


def test_recoveries_and_returns_count_together_and_the_last_is_followed_by_none():
    search = raced(*WATCHES).observe(Evidence((math.nan,))).recover(33).recover(36)
    assert len(search.rollbacks) == THRESHOLDS.rollbacks == 3
    assert not search.can_recover


def test_before_the_race_is_over_there_is_nothing_to_go_back_to():
    assert not begun().can_recover
    assert raced(REFINE).can_recover


def test_a_side_that_has_clearly_lost_is_not_tried_again():
    both = (0.5, 2.0)
    later = (Round(60, 70, 6, both), Round(90, 100, 6, both))
    search = raced(REFINE, *later)
    size = THRESHOLDS.settled * 2  # scores are shares of what has been gained or of themselves
    kept = search.observe(Evidence((1.0, 1.0, 1.0 + size)))
    assert [r.factors for r in kept.rounds] == [(0.5,), (0.5,)]
    assert len(kept.alive) == 2
    assert kept.observe(Evidence((0.9, 0.9 + size))).rounds[0].factors == ()
    near = search.observe(Evidence((1.0, 1.0, 1.0 + THRESHOLDS.settled / 2)))
    assert [r.factors for r in near.rounds] == [both, both]


def test_a_rival_that_diverged_has_lost_its_side():
    search = raced(REFINE, Round(60, 70, 6, (0.5, 2.0)))
    left = search.drop(search.alive[2]).observe(Evidence((1.0, 1.0)))
    assert left.rounds[0].factors == (0.5,)


def test_where_a_rival_wins_no_side_is_settled():
    search = raced(REFINE, Round(60, 70, 6, (0.5, 2.0)))
    assert search.observe(Evidence((1.0, 0.9, 1.5))).rounds[0].factors == (0.5, 2.0)
