"""Races behind the rise of a long warm-up, and peaks of the user's own."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from itertools import pairwise

import pytest

from autolr import schedules
from autolr.online import SearchSettings
from autolr.online.evidence import Evidence
from autolr.online.observation import Observation
from autolr.online.rounds import price


def begun(own, rise=None, steps=1000, settings=None, prior=1e-3):
    """Return run and search of a user who has set ``own``, with a scheduler that rises so long."""
    settings = settings or SearchSettings()
    run = settings.run_info(prior, steps, own, own, rise=rise)
    return run, settings.begin(run).state.search


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def test_the_own_peak_races_with_the_customary_ones():
    assert peaks(begun(6e-4)[1]) == pytest.approx([6.25e-5, 2.5e-4, 6e-4, 1e-3, 4e-3, 1.6e-2])


def test_it_takes_the_place_of_one_that_is_nearly_the_same():
    assert peaks(begun(3e-4)[1]) == pytest.approx([6.25e-5, 3e-4, 1e-3, 4e-3, 1.6e-2])
    assert peaks(begun(1e-3)[1]) == pytest.approx([6.25e-5, 2.5e-4, 1e-3, 4e-3, 1.6e-2])


def test_a_run_begins_with_it_and_keeps_it_where_it_is_too_short_to_search():
    run, search = begun(6e-4)
    assert run.nearest(search.alive).peak == 6e-4
    run, search = begun(6e-4, steps=8)
    assert (peaks(search), search.rounds) == ([6e-4], ())


@pytest.mark.parametrize("own", [2e-5, 0.03])
def test_a_race_is_laid_around_an_own_peak_far_from_the_customary_one(own):
    assert peaks(begun(own)[1]) == pytest.approx([own / 16, own / 4, own, own * 4, own * 16])


def test_it_must_be_beaten():
    search = begun(6e-4)[1]
    tied = search.observe(Evidence((2.0, 1.6, 1.52, 1.51, 1.5, 1.8), initial=2.3))
    assert tied.alive[0].peak == 6e-4
    beaten = search.observe(Evidence((2.0, 1.9, 1.8, 1.6, 1.3, 1.5), initial=2.3))
    assert beaten.alive[0].peak == pytest.approx(4e-3)


def test_rates_that_the_user_gives_leave_it_out_unless_it_lies_within():
    limited = SearchSettings(rates=(1e-4, 1e-3))
    assert 6e-4 in peaks(begun(6e-4, settings=limited)[1])
    assert 1e-2 not in peaks(begun(1e-2, settings=limited)[1])


def test_a_race_waits_for_a_long_warm_up_and_a_short_one_is_raced_through():
    _, search = begun(1e-3, rise=300)
    assert search.action.start == 100
    assert search.action.horizon <= 150
    assert peaks(search)[0] == 1e-3
    assert peaks(search)[1:] == pytest.approx([1e-3, 1e-3, 4e-3, 1.6e-2]) or len(search.alive) == 5
    _, short = begun(1e-3, rise=10)
    assert short.action.start == 0


def test_within_the_rise_no_lower_rate_is_tried_after_the_race():
    _, search = begun(1e-3, rise=300)
    later = [factor for r in search.rounds[1:] for factor in r.factors]
    assert later
    assert min(later) > 1


def test_a_rate_that_rises_to_the_end_is_compared_with_lower_ones_late_in_the_run():
    _, search = begun(1e-3, rise=999)
    starts = {r.start: r.factors for r in search.rounds if r.factors}
    assert starts == {111: starts[111], 500: (0.25, 0.5), 750: (0.25, 0.5)}
    assert [r.horizon for r in search.rounds] == sorted({r.horizon for r in search.rounds})
    assert all(a.horizon <= b.start for a, b in pairwise(search.rounds))
    assert any(111 < r.start < 500 for r in search.rounds)  # and watched until then
    assert price(search.rounds, 5) <= 250
    _, falls = begun(1e-3, rise=600)
    assert min(f for r in falls.rounds[1:] for f in r.factors) > 1


def test_the_run_keeps_its_own_rates_until_a_rival_clearly_wins():
    _, search = begun(1e-3, rise=300)
    kept = search.observe(Evidence((1.0, 1.1, 1.05, 0.999, 1.2), initial=2.0))
    assert kept.alive[0].schedule == schedules.constant()
    raised = search.observe(Evidence((1.0, 1.1, 1.05, 0.9, 1.2), initial=2.0))
    run = raised.alive[0]
    assert run.peak == pytest.approx(4e-3)
    values = run.peak * run.schedule.values(1000)
    assert values[0] == pytest.approx(1e-3)  # times the scheduler's own multiplier
    assert values[-1] == pytest.approx(4e-3)


def waiting(steps=1000, rise=None, **settings):
    """Return the state of a search before its first step."""
    settings = SearchSettings(**settings)
    return settings.begin(settings.run_info(1e-3, steps, 1e-3, 1e-3, rise=rise)).state


def test_a_race_waits_behind_a_rise_that_other_code_turns_out_to_write():
    state = waiting()
    assert state.action.waits
    after = state.observe(Observation(3, rise=200, steps_left=997))
    assert after.action.start == 200
    assert not after.action.waits
    before, behind = (
        [one.peak * one.schedule.at(step, 1000) for one in after.search.alive]
        for step in (150, 300)
    )
    assert before == pytest.approx([1e-3] * 5)
    assert behind == pytest.approx([1e-3, 6.25e-5, 2.5e-4, 4e-3, 1.6e-2])
    race = state.action.horizon
    assert after.action.horizon == 200 + race - 3  # all five have made three steps already
    assert after.search.scores == ()


@pytest.mark.parametrize(
    "known",
    [{"rise": 10}, {"rise": 300}, {"schedule": schedules.warmup(0.1) | schedules.constant()}],
)
def test_no_race_waits_where_the_rise_is_known(known):
    assert not waiting(**known).action.waits


@pytest.mark.parametrize("steps", [100, 300, 1000])
def test_a_race_that_has_waited_costs_no_more_than_it_may(steps):
    state = waiting(steps)
    before = price(state.search.rounds, 5) + state.search.spare
    after = state.observe(Observation(3, rise=900, steps_left=steps - 3)).search
    assert sum(r.price for r in after.rounds) + after.spare == before - 4 * 3
    assert after.action.start <= steps // 3


@pytest.mark.parametrize("rise", [60, 150, 300, 600, 999])
@pytest.mark.parametrize("steps", [100, 300, 1000])
def test_a_delayed_search_costs_no_more_than_it_may(rise, steps):
    run, search = begun(1e-3, rise=min(rise, steps - 1), steps=steps)
    assert price(search.rounds, len(search.alive)) + search.spare <= run.budget
    assert all(
        one.horizon <= r.start for one, r in zip(search.rounds, search.rounds[1:], strict=False)
    )
    assert all(r.horizon < steps for r in search.rounds)
