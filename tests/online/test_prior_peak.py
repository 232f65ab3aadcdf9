"""A search around the peak of an earlier one."""

import math
from dataclasses import replace
from typing import Any

import pytest

from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import AutoLRS, Search, SearchSettings
from autolr.online.annealed import default_schedule
from autolr.online.evidence import Evidence
from autolr.online.prior_peak import PriorPeak, check_optimizer
from autolr.online.rounds import price
from autolr.online.search_serialization import search_from_dict, search_to_dict
from autolr.result.messages import opening
from autolr.rules.fixed import OWN
from autolr.schedules import constant, linear

STEPS = 2000
PRIOR = PriorPeak(0.02, default_schedule(()), STEPS // 4, "SGD")


def begun(
    own: float | None = None, prior: PriorPeak = PRIOR, steps: int = STEPS, **settings: Any
) -> Search:
    chosen = SearchSettings(prior=prior, **settings)
    state = chosen.begin(chosen.run_info(0.1, steps, own, own)).state
    search: Search = state.search  # type: ignore[attr-defined]
    return search


def peaks(search: Search) -> list[float]:
    return [one.peak or math.nan for one in search.alive]


def won_by(search: Search, peak: float) -> Search:
    """Return the search after a round in which the loss grows with the distance to a peak."""
    scores = tuple(1.0 + abs(math.log(each / peak)) for each in peaks(search))
    return search.observe(Evidence(scores, None, 9.0))


def copies(search: Search) -> list[tuple[float, ...]]:
    return [now.factors for now in search.rounds if now.copies]


def test_four_times_the_steps_take_half_the_peak() -> None:
    moved = PRIOR.moved(default_schedule(()), STEPS)
    assert (moved.before, moved.steps) == (0.02, 500)
    assert moved.peak == pytest.approx(0.01, rel=0.01)


def test_a_cut_of_the_earlier_run_lowers_the_peak() -> None:
    halved = default_schedule(()) * (constant().over(0.1) | constant() * 0.5)
    moved = replace(PRIOR, schedule=halved).moved(default_schedule(()), STEPS // 4)
    assert 0.01 < moved.peak < 0.014


def test_beside_a_scheduler_of_the_modules_own_only_the_length_counts() -> None:
    moved = PRIOR.moved(constant(), STEPS, scheduled=True)
    assert moved.peak == pytest.approx(0.01, rel=0.01)
    alike = replace(PRIOR, schedule=constant(), scheduled=True)
    assert alike.moved(linear(), STEPS).peak == pytest.approx(0.01, rel=0.01)


def test_three_peaks_within_a_factor_of_two_race_and_the_users_where_it_is_out_of_their_reach() -> (
    None
):
    near = begun().alive[1].peak or math.nan
    assert near == pytest.approx(0.01, rel=0.01)
    assert peaks(begun(own=0.012)) == pytest.approx([near / 2, near, 2 * near])
    assert peaks(begun(own=0.3)) == pytest.approx([near / 2, near, 2 * near, 0.3])
    assert peaks(begun()) == pytest.approx([near / 2, near, 2 * near, 0.1])  # the customary one


def test_the_middle_wins_ties_and_leaves_one_check() -> None:
    search = begun(own=0.012)
    near = peaks(search)[1]
    tied = search.observe(Evidence((1.0, 1.01, 1.0), None, 9.0))
    assert (tied.peak(0), copies(tied)) == (near, [(0.5,)])


def settled(search: Search, best: float) -> tuple[Search, int]:
    """Return the search behind its checks with rivals, and the steps that they have taken."""
    spent = price(search.rounds[:1], len(search.alive))
    while any(now.copies for now in search.rounds[:1]) or not search.scores:
        spent += search.rounds[0].price
        search = won_by(search, best)
    return search, spent


@pytest.mark.parametrize("steps", [120, 540, 2000, 50_000])
@pytest.mark.parametrize("own", [0.012, 0.3], ids=["within their reach", "beside them"])
@pytest.mark.parametrize("best", [0.005, 0.01, 0.013, 0.02])
def test_a_prior_that_is_right_costs_at_most_a_tenth_of_the_run(
    steps: int, own: float, best: float
) -> None:
    search, spent = settled(begun(own, replace(PRIOR, total_steps=steps // 4), steps=steps), best)
    beside = sum(now.price for now in search.rounds) + search.spare  # for a run in doubt
    assert spent + beside <= 0.1 * steps
    assert steps < 500 or search.spare >= 12


@pytest.mark.parametrize("best", [0.0005, 0.08, 0.3])
def test_one_that_is_wrong_costs_no_more_than_a_search_without_it(best: float) -> None:
    search, spent = settled(begun(own=0.3), best)
    assert search.peak(0) == pytest.approx(best, rel=1.1)
    beside = sum(now.price for now in search.rounds) + search.spare
    assert spent + beside <= 0.25 * STEPS


def test_a_run_too_short_for_that_races_as_without_it() -> None:
    short, alone = (begun(0.3, replace(PRIOR, total_steps=25), steps=100), SearchSettings())
    without = alone.begin(alone.run_info(0.1, 100, 0.3, 0.3)).state.search  # type: ignore[attr-defined]
    assert short.rounds[0].horizon >= without.rounds[0].horizon


def test_behind_an_end_one_rival_beyond_it_races_until_it_loses() -> None:
    search = begun(own=0.012)
    far = 16 * peaks(search)[1]
    opened = won_by(search, far)
    top = opened.peak(0)
    assert peaks(opened) == pytest.approx([top, 2 * top])
    assert copies(opened) == [(2.0,), (0.5, 2.0), (0.5, 2.0)]
    further = won_by(opened, far)
    assert peaks(further) == pytest.approx([2 * top, 4 * top])
    after = won_by(further, 2 * top)
    assert (after.peak(0), after.near, copies(after)) == (2 * top, None, [])


def test_an_end_that_holds_against_the_rival_beyond_it_ends_the_checks() -> None:
    search = begun(own=0.3)
    low = peaks(search)[0]
    opened = won_by(search, low)
    assert peaks(opened) == pytest.approx([low, low / 2])
    after = won_by(opened, low)
    assert (after.peak(0), copies(after)) == (low, [])
    beside = price(search.rounds[:1], 4) + opened.rounds[0].price
    assert beside <= 0.1 * STEPS


def test_where_the_users_peak_wins_a_race_around_it_follows() -> None:
    search = won_by(begun(own=0.3), 0.3)
    assert peaks(search) == pytest.approx([0.3, 0.075, 1.2])
    assert search.rounds[0].start == search.scores[-1].horizon
    assert copies(search)[1:3] == [(0.5, 2.0), (0.5, 2.0)]
    assert search.spare >= begun(own=0.3).spare > 0  # for copies of a run in doubt


def test_in_a_short_race_the_users_peak_wins_over_an_earlier_one_that_is_wrong() -> None:
    search = begun(own=0.3, steps=500)
    assert search.rounds[0].horizon < search.thresholds.brief
    assert peaks(won_by(search, 0.3))[0] == 0.3  # 15 times the earlier one


def test_it_costs_no_more_than_the_budget() -> None:
    search = begun(own=0.3)
    total = price(search.rounds[:1], len(search.alive))
    opened = won_by(search, 0.3)
    assert total + sum(now.price for now in opened.rounds) + opened.spare <= 0.25 * STEPS


def test_the_limits_of_the_user_hold() -> None:
    search = begun(rates=(0.008, 0.5))
    near = peaks(search)[0]
    assert peaks(search) == pytest.approx([near, 2 * near, math.sqrt(0.008 * 0.5)], rel=0.7)
    assert min(peaks(search)) >= 0.008
    above = begun(rates=(0.05, 0.5))
    assert peaks(above)[:2] == pytest.approx([0.05, 0.1])


def test_with_one_candidate_nothing_is_moved() -> None:
    chosen = SearchSettings(rates=(0.3, 0.3), prior=PRIOR)
    alone = SearchSettings(rates=(0.3, 0.3))
    runs = [each.run_info(0.1, STEPS) for each in (chosen, alone)]
    assert runs[0] == runs[1]


def test_a_run_too_short_to_search_has_the_users_rate_and_no_decay() -> None:
    chosen = SearchSettings(prior=PRIOR)
    search = chosen.begin(chosen.run_info(0.1, 20, 0.03, 0.03))
    assert not search.searching
    assert search.candidates == (Candidate(OWN, 0.03, constant()),)
    assert search.prior is not None
    assert not search.prior.raced
    (line,) = opening(search, *search.candidates, 20)
    assert line == (
        "AutoLR: 20 steps are too few to search, also around the prior: the run keeps a peak of "
        "0.03 and no schedule"
    )


@pytest.mark.parametrize("factor", [0.02, 50.0], ids=["too low", "too high"])
def test_one_far_beyond_the_rates_of_a_search_leaves_it_as_without(factor: float) -> None:
    alone = SearchSettings()
    chosen = replace(alone, prior=replace(PRIOR, peak=0.2 * factor))  # twice the customary peak
    run, without = (each.run_info(0.1, STEPS, 0.3, 0.3) for each in (chosen, alone))
    assert run.prior is not None
    assert not run.prior.raced
    assert run.entries == without.entries
    assert chosen.begin(run).candidates == alone.begin(without).candidates


@pytest.mark.parametrize("factor", [1 / 31, 31.0])
def test_one_within_reach_of_them_is_raced(factor: float) -> None:
    far = begun(prior=replace(PRIOR, peak=0.1 * factor, total_steps=STEPS))
    assert far.near == pytest.approx(0.1 * factor, rel=0.01)
    given = begun(prior=replace(PRIOR, peak=40.0, total_steps=STEPS), rates=(0.05, 0.5))
    assert given.near == 0.5  # the limits of the user say what is too far


def test_a_run_too_short_to_search_keeps_its_rate_beside_a_prior_that_is_far() -> None:
    chosen = SearchSettings(prior=replace(PRIOR, peak=50.0))
    (run,) = chosen.begin(chosen.run_info(0.1, 20)).candidates
    assert run.peak == 0.1


def test_the_stored_search_knows_that_it_is_open() -> None:
    search = won_by(begun(own=0.012), 1.0)
    assert search.near is not None
    assert search_from_dict(search_to_dict(search)) == search


def test_an_optimizer_of_another_family_is_refused() -> None:
    check_optimizer("prior", "SGD", "SGD")
    check_optimizer("prior", "Adam", "AdamW")
    check_optimizer("prior", None, "AdamW")
    message = "^prior must be a search of AdamW, got 'a search of SGD"
    with pytest.raises(ConfigError, match=message):
        check_optimizer("prior", "SGD", "AdamW")


def test_settings_in_which_a_prior_has_no_place_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^prior is for the strategy 'annealed'"):
        SearchSettings(AutoLRS(), prior=PRIOR)
    with pytest.raises(ConfigError, match=r"^prior is a peak of the run's own optimizer"):
        SearchSettings(candidates={"rule": ["momo", "dog"]}, prior=PRIOR)
