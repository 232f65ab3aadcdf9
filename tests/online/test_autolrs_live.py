"""AutoLRS beside a run that only goes forward: its stages, its probes, and what they decide."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
from dataclasses import replace

import pytest

from autolr import schedules
from autolr.errors import ConfigError
from autolr.online import AutoLRS, Commit, Observation, PeakRange, Probe, Rollback, Save
from autolr.online.probe_forecast import ProbeForecast
from autolr.online.rate_model import next_rate
from tests.online.runs import run_of

BOX = PeakRange.between(1e-3, 1.0)
STRATEGY = AutoLRS(probes=5)


def begun(steps=4000, peaks=BOX, strategy=STRATEGY, **changed):
    return strategy.begin(replace(run_of(peaks, None, steps), **changed))


def rate_of(candidate, steps=4000):
    """Return the rate with which a candidate ends."""
    return candidate.peak * candidate.schedule.at(steps - 1, steps)


def bowl(rate, best=0.2):
    return 1.0 + abs(math.log(rate / best))


def observed(state, score=bowl, steps=4000):
    """Return the state after its probe was carried out; every score falls with the steps."""
    probe = state.action
    if isinstance(probe, Save):
        return state.observe(Observation(state.next))
    drift = 100.0 / (1 + probe.start)
    scores = tuple(score(rate_of(candidate, steps)) + drift for candidate in probe.candidates)
    return state.observe(Observation(probe.horizon, scores))


def finished(state, score=bowl, steps=4000):
    """Carry out a search; return its probes of several rates, and the candidate at its end."""
    probes = []
    while not isinstance(action := state.action, Commit):
        probes += [action] if isinstance(action, Probe) else []
        state = observed(state, score, steps)
    return [probe for probe in probes if len(probe.candidates) == 2], action.candidate


def rates(candidate, steps=4000):
    return candidate.peak * candidate.schedule.values(steps)


def test_each_stage_but_the_last_has_its_probes_one_after_the_other_within_it():
    probes, _ = finished(begun())
    assert [(probe.start, probe.horizon) for probe in probes] == [
        *((k, k + 100) for k in range(0, 500, 100)),
        *((k, k + 200) for k in range(500, 1500, 200)),
        *((k, k + 400) for k in range(1500, 3500, 400)),
    ]
    assert sum(probe.horizon - probe.start for probe in probes) == 0.875 * 4000


def test_a_loss_is_forecast_for_a_probe_as_long_as_the_stage_that_it_decides():
    probes, _ = finished(begun())
    assert [probe.ahead for probe in probes] == [900] * 5 + [1800] * 5 + [100] * 5


def test_the_best_rate_of_a_stage_trains_the_next_one_and_the_first_has_the_middle_one():
    probes, end = finished(begun())
    made = rates(end)
    assert made[:500] == pytest.approx([BOX.prior] * 500)
    assert bowl(made[500]) < 1.5 < bowl(made[0])
    for start, stop in ((500, 1500), (1500, 3500)):
        tried = [rate_of(probe.candidates[1]) for probe in probes if start <= probe.start < stop]
        assert made[stop] == pytest.approx(min([made[start], *tried], key=bowl))
        assert made[start:stop] == pytest.approx([made[start]] * (stop - start))


def test_the_run_is_the_first_candidate_and_its_own_rate_is_never_tried():
    probes, end = finished(begun())
    for probe in probes:
        run, rival = probe.candidates
        assert rival.peak == pytest.approx(rate_of(rival))
        made = rates(end)[: probe.horizon]
        assert rates(run)[: probe.horizon] == pytest.approx(made)
        assert rates(rival)[: probe.start] == pytest.approx(made[: probe.start])
        assert abs(math.log(rate_of(rival) / rate_of(run))) > 0.05


def test_probes_of_a_run_that_learns_are_compared_with_the_run_and_not_with_each_other():
    """Every probe is worse than the run, and every later one better than any before it."""
    _, end = finished(begun(), lambda rate: 1.0 + (rate != pytest.approx(BOX.prior)))
    assert set(rates(end)) == {BOX.prior}


def test_where_nothing_differs_the_run_keeps_its_rate():
    _, end = finished(begun(), lambda rate: 1.0)
    assert (end.peak, end.schedule) == (BOX.prior, schedules.constant())


def test_a_probe_that_diverged_is_never_followed():
    state = begun()
    for _ in range(5):
        infinite = (1.0, math.inf)
        state = state.observe(Observation(state.action.horizon, infinite, diverged=(1,)))
    assert isinstance(state.action, Save)
    assert rate_of(state.action.run) == BOX.prior


def test_a_copy_that_ended_says_nothing_of_its_rate():
    state = begun()
    after = state.observe(Observation(100, (1.0, math.inf), ended=(1,)))
    assert (after.trials, after.next) == ((), 100)
    assert after.rate == state.rate


def test_a_run_that_diverges_is_replaced_by_its_probe_and_the_rest_of_the_stage_is_searched():
    state = observed(begun())
    low = state.rate
    after = state.observe(Observation(200, (math.inf, 1.0), diverged=(0,)))
    assert after.trials == (ProbeForecast(BOX.prior, math.inf),)
    assert rate_of(after.action.run) == pytest.approx(low)
    assert rates(after.action.run)[99:101] == pytest.approx([BOX.prior, low])
    assert after.action.horizon - after.action.start == (500 - 200) // 5


def staged(step):
    """Return a search up to the first probe that begins at a step or later."""
    state = begun()
    while not (isinstance(state.action, Probe) and state.action.start >= step):
        state = observed(state)
    return state


@pytest.mark.parametrize(("begins", "lost"), [(500, 523), (700, 711), (3900, 3600)])
def test_a_run_that_is_lost_with_its_probe_goes_back_to_its_stage_at_half_the_rate(begins, lost):
    state = staged(begins)
    was, run = rate_of(state.action.run), state.action.run
    after = state.observe(Observation(lost, (math.inf, math.inf), diverged=(1, 0), lost=True))
    assert after.action == Rollback(run, after.action.factor)
    assert after.action.factor <= 0.5
    resumed = after.observe(Observation(lost))
    assert isinstance(resumed.action, Probe)
    assert resumed.action.start == max(lost, state.next)
    assert rate_of(resumed.action.run) == pytest.approx(was * after.action.factor)
    assert rates(resumed.action.run)[: lost - 1] == pytest.approx(rates(run)[: lost - 1])
    _, end = finished(resumed)
    assert rates(end)[lost:1500].max(initial=0.0) <= was * 0.51


def test_a_run_that_is_lost_in_its_first_stage_or_at_the_lowest_rate_is_given_up():
    lost = Observation(13, (math.inf, math.inf), diverged=(1, 0), lost=True)
    first = begun()
    assert first.observe(lost) == first
    state = staged(500)
    for _ in range(20):
        after = state.observe(replace(lost, step=state.next + 1))
        if after == state:
            break
        state = after.observe(Observation(state.next))
    assert rate_of(state.action.run) == pytest.approx(BOX.low)


def test_the_last_stage_is_watched_and_scored_at_its_end():
    state = staged(3500)
    probe = state.action
    assert (len(probe.candidates), probe.horizon, probe.ahead, probe.guarded) == (1, 4000, 0, True)
    assert isinstance(observed(state).action, Commit)


def test_steps_without_a_loss_decide_nothing():
    state = begun()
    while not isinstance(action := state.action, Commit):
        unknown = (math.nan,) * len(getattr(action, "candidates", ()))
        state = state.observe(Observation(state.next, unknown))
    assert set(rates(action.candidate)) == {BOX.prior}


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_run_that_is_too_short_for_a_probe_keeps_the_middle_rate(steps):
    state = begun(steps)
    assert state.action == Commit(state.action.candidate)
    assert state.action.candidate.peak == BOX.prior


@pytest.mark.parametrize("steps", range(8, 80, 3))
def test_a_probe_of_a_short_run_has_four_steps_at_least(steps):
    probes, end = finished(begun(steps, strategy=AutoLRS()), steps=steps)
    assert all(probe.horizon - probe.start >= 4 for probe in probes)
    assert len(end.schedule.values(steps)) == steps


def test_a_single_rate_is_scored_once_and_only_followed():
    state = begun(peaks=PeakRange.between(0.3, 0.3))
    probe, end = state.action, observed(state).action.candidate
    assert not probe.guarded
    assert probe.candidates == (end,)
    assert (end.peak, end.schedule) == (0.3, schedules.constant())


def test_no_probe_ends_behind_the_deadline():
    probes, _ = finished(begun(deadline=1000))
    assert probes[-1].horizon <= 1000


def test_every_state_comes_back_from_json_with_the_same_action():
    state = begun()
    while not isinstance(state.action, Commit):
        back = STRATEGY.state_from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))
        assert back == state
        assert back.action == state.action
        state = observed(state, lambda rate: math.inf if rate > 0.5 else bowl(rate))


def test_the_rate_of_a_module_with_its_own_scheduler_is_searched_and_a_schedule_refused():
    assert begun(schedule=schedules.constant(), rise=30) == begun()
    with pytest.raises(ConfigError, match="schedule"):
        begun(schedule=schedules.linear())


def test_a_huge_loss_does_not_hide_the_others():
    trials = [ProbeForecast(rate, loss) for rate, loss in ((1e-3, 1.0), (0.1, -1.0), (1.0, 1e300))]
    assert next_rate(BOX, trials, 0.0, BOX.prior) == pytest.approx(0.1, rel=0.5)
