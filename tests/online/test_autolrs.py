"""AutoLRS: a pure state that takes losses, and the run that it makes."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import dataclasses
import math

import numpy as np
import pytest
import torch

import autolr
from autolr.errors import ConfigError, DivergedError
from autolr.online import AutoLRS, Commit, Observation, PeakRange
from autolr.online.probe_forecast import ProbeForecast, forecast
from autolr.online.rate_model import next_rate
from tests.online.runs import run_of

BOX = PeakRange.between(1e-3, 1.0)


def decay(rate, steps, best=0.03):
    """Return losses that fall exponentially; the closer the rate to the best, the lower to."""
    floor = 1 + math.log(rate / best) ** 2
    return (floor + (10 - floor) * np.exp(-np.arange(steps) / (0.5 * steps))).tolist()


def finished(state, losses_of):
    """Carry out a state; return it at its end with its actions."""
    actions, step = [], 0
    while not isinstance(action := state.action, Commit):
        actions.append(action)
        step += 0 if action.rewind else action.steps
        losses = losses_of(action.run.peak, action.steps)
        state = state.observe(Observation(step, losses=tuple(losses)))
    return state, actions


def begun(steps, **settings):
    return AutoLRS(**settings).begin(dataclasses.replace(run_of(BOX, None, steps), rewindable=True))


@pytest.fixture(scope="module")
def whole():
    """The end of a run of 4,000 steps, and its actions."""
    return finished(begun(4000), decay)


def test_the_rate_whose_loss_falls_lowest_is_kept_in_every_stage(whole):
    state, _ = whole
    assert [stage.rate for stage in state.done] == pytest.approx([0.03] * 4, rel=0.3)


def test_stages_double_and_each_has_ten_probes_of_a_tenth(whole):
    state, actions = whole
    assert [stage.steps for stage in state.done] == [500, 1000, 2000, 500]
    tries = [action.steps for action in actions if action.rewind]
    assert tries == [50] * 10 + [100] * 10 + [200] * 10 + [50] * 10
    kept = sum(action.steps for action in actions if not action.rewind)
    assert sum(tries) + kept == 2 * 4000


def test_a_long_run_has_the_published_stages():
    assert begun(40_000).lengths == (1000, 2000, 4000, 8000, 8000, 8000, 8000, 1000)


def test_a_run_of_one_step_is_one_stage():
    assert begun(1).lengths == (1,)


def test_the_state_is_frozen_and_continues_as_another_one():
    state = begun(100)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.lengths = ()
    assert state.observe(Observation(0, losses=(1.0,))) is not state
    assert state.trials == ()


def test_a_forecast_recovers_a_decay():
    t = np.arange(40)
    losses = 2.0 * np.exp(-t / 30) + 1.0
    assert forecast(losses.tolist(), 100) == pytest.approx(2 * math.exp(-139 / 30) + 1, abs=0.02)


def test_a_forecast_of_a_straight_fall_is_bounded():
    """Unbounded, ten times the probe's length would come to -7."""
    losses = np.linspace(2.0, 1.0, 11)
    assert forecast(losses.tolist(), 90) == pytest.approx(0.5, abs=0.05)  # by the same factor
    below = (losses - 3.0).tolist()
    assert forecast(below, 90) == pytest.approx(-3.0, abs=0.05)  # by as much again


@pytest.mark.parametrize("seed", range(20))
def test_no_forecast_falls_further_than_its_probe(seed):
    losses = np.random.default_rng(seed).normal(1.0, 0.3, 12)
    assert forecast(losses.tolist(), 108) > losses.min() - np.ptp(losses)


def curves():
    """Yield losses of all shapes, signs and sizes."""
    rng = np.random.default_rng(0)
    for index in range(600):
        losses = rng.normal(rng.normal(), rng.exponential(), rng.integers(1, 40))
        losses = np.abs(losses) if index % 2 else losses
        losses = np.sort(losses)[:: rng.choice([1, -1])] if index % 3 else losses
        yield losses * 10.0 ** rng.integers(-307, 307)
    yield from ([0.0] * 5, [1.0, 0.0, 0.0, 0.0], [5e-324] * 4, [1.7e308, 1e308, 5e307])


def test_a_forecast_of_numbers_is_a_number_within_the_range_of_the_seen_and_as_far_again():
    for index, curve in enumerate(curves()):
        losses = np.asarray(curve)
        size = np.abs(losses).max() or 1.0
        end = forecast(losses.tolist(), ahead=7 * index % 500) / size
        low, high = losses.min() / size, losses.max() / size
        assert 2 * low - high - 1e-9 <= end <= 2 * high - low + 1e-9
        assert end >= 0 or low < 0


def test_a_loss_that_falls_fast_and_may_not_fall_below_zero_is_still_told_from_a_faster_one():
    slow, fast = ([2.0 * factor**step for step in range(12)] for factor in (0.8, 0.7))
    assert 0 < forecast(fast, 100) < forecast(slow, 100)


def test_a_rising_or_flat_loss_is_forecast_no_better_than_it_is():
    assert forecast([1.0, 1.5, 2.0, 2.5], 36) >= 2.5
    assert forecast([1.0] * 8, 72) == pytest.approx(1.0)


def test_a_loss_that_is_not_finite_has_no_forecast():
    assert math.isinf(forecast([1.0, math.nan], 10))
    assert math.isinf(forecast([], 10))
    assert forecast([2.0, 1.0], 10) == 1.0


def test_a_probe_that_diverged_is_never_kept_and_when_all_did_the_prior_one_is():
    searched = begun(80, probes=5)
    state, _ = finished(searched, lambda rate, _: [math.nan] if rate > 0.01 else [1.0])
    assert all(stage.rate <= 0.01 for stage in state.done)
    state, _ = finished(searched, lambda *_: [math.inf])
    assert {stage.rate for stage in state.done} == {BOX.prior}


def test_the_search_begins_in_the_middle_and_at_the_ends_and_then_goes_to_the_lowest():
    trials = ()
    for _ in range(10):
        rate = next_rate(BOX, trials, kappa=2.0)
        trials = (*trials, ProbeForecast(rate, math.log(rate / 0.1) ** 2))
    assert [trial.rate for trial in trials[:3]] == pytest.approx([10**-1.5, 1e-3, 1.0])
    assert min(trials, key=lambda trial: trial.forecast).rate == pytest.approx(0.1, rel=0.25)


@pytest.mark.parametrize(
    "settings", [{"probes": 0}, {"first": 0}, {"growth": 0.5}, {"kappa": -1.0}]
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        AutoLRS(**settings)


def test_a_run_without_steps_is_refused():
    with pytest.raises(ConfigError, match="total_steps"):
        autolr.search(learner(), 0, strategy="autolrs")


def learner(rate=1.0):
    """Return a run whose loss is |w|**2 / 2, from w = 1: a rate r multiplies w by 1 - r."""
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    loss = lambda model, _: model.weight.square().sum() / 2  # noqa: E731
    return autolr.TorchLearner(model, optimizer, [0], loss)


def test_the_run_trains_at_the_rates_of_its_result_from_the_state_before_the_probes():
    run = learner()
    result = autolr.search(run, 80, strategy=AutoLRS(probes=5), rates=(1e-3, 0.1))
    rates = result.peak * result.schedule.values(result.total_steps)
    assert run.model.weight[0, 0].item() == pytest.approx(np.prod(1 - rates), rel=1e-4)
    assert result.peak == pytest.approx(0.1)


def test_the_result_says_what_was_paid():
    result = autolr.search(learner(), 80, strategy="autolrs", rates=(1e-3, 0.1))
    assert (result.total_steps, result.probe_steps, result.price) == (80, 80, 2.0)
    assert len(result.scores) == 4 * 10
    assert [score.start for score in result.scores[::10]] == [0, 10, 30, 70]
    assert [score.horizon for score in result.scores[::10]] == [10, 30, 70, 80]
    assert sum(score.kept for score in result.scores) == 4
    assert result.validation_passes == 0


def test_a_result_can_be_saved_and_loaded(tmp_path):
    result = autolr.search(learner(), 40, strategy=AutoLRS(probes=3), save_to=tmp_path)
    assert autolr.load_result(tmp_path) == result


def test_the_optimizers_own_rate_is_left_as_it_was():
    run = learner(rate=0.25)
    autolr.search(run, 40, strategy=AutoLRS(probes=3), rates=(1e-3, 0.1))
    assert run.optimizer.param_groups[0]["lr"] == 0.25


def test_a_run_that_diverges_is_an_error():
    with pytest.raises(DivergedError, match="diverged at the rate"):
        autolr.search(learner(), 400, strategy="autolrs", rates=(1e8, 1e9))


def test_a_schedule_is_refused_because_it_makes_its_own():
    with pytest.raises(ConfigError, match="schedule"):
        autolr.search(learner(), 40, strategy="autolrs", schedule="linear")
