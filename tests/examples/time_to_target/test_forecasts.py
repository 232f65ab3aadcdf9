"""The comparison of forecasts with scores, with known answers."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from itertools import product

import numpy as np
import pytest

from autolr import schedules
from examples.time_to_target.forecast_laws import Curve, _terms, of_bound, of_rates, of_steps
from examples.time_to_target.forecast_runs import MARKS, RunKey, ScoredRun, keys_of, stored
from examples.time_to_target.forecasts import LIVE, Group, group_of, regrets, verdicts

STEPS = (0, 20, 40, 80, 120, 200)


def curve(multipliers, score):
    return Curve(STEPS, [score(step) for step in STEPS], multipliers)


def falling(step):
    return 1.0 + 100 / (50 + step)


def test_at_a_constant_rate_the_sum_of_rates_says_what_steps_say():
    constant = curve(np.full(1000, 0.5), falling)
    assert of_rates(constant) == pytest.approx(of_steps(constant))


def test_a_score_that_falls_with_the_sum_of_rates_is_forecast_in_it():
    multipliers = schedules.linear().values(1000)
    time = np.append(0.0, np.cumsum(multipliers))
    known = curve(multipliers, lambda step: 1.0 + np.exp(-time[step] / 150))
    rates, steps = (abs(law(known) - 1.0357) for law in (of_rates, of_steps))
    assert rates < 0.003 < 0.009 < steps


@pytest.mark.parametrize("profile", [schedules.linear(), schedules.cosine()])
def test_a_run_that_follows_the_bound_is_forecast_by_it(profile):
    multipliers = profile.values(1000)

    def bound(step):
        return 2.0 + np.array([30.0, 0.4]) @ _terms(multipliers[: max(1, step)])

    assert of_bound(curve(multipliers, bound)) == pytest.approx(bound(1000))


def test_a_forecast_below_zero_is_that_of_the_sum_of_rates():
    linear = curve(schedules.linear().values(1000), lambda step: max(0.02, 1.0 - step / 200))
    assert of_bound(linear) == of_rates(linear)


def group(present, finals, averaged=()):
    curves = [
        curve(np.ones(1000), lambda step, end=end: 3.0 if not step else end) for end in present
    ]
    return Group(present, averaged, curves, curves, finals, softening=0.0)


def test_each_way_picks_by_its_own_number_and_ties_go_to_the_lowest_peak():
    picks = group([1.02, 1.0, 2.0], [0.5, 0.6, 0.7], averaged=[1.2, 1.1, 0.9]).picks()
    assert (picks["score"], picks["averaged score"], picks["lowest tied"]) == (1, 2, 2)
    assert group([1.02, 1.0, 2.0], [0.5, 0.6, 0.7]).picks()["lowest tied"] == 0


def test_regret_is_of_the_best_final_and_a_run_that_was_lost_counts_as_a_hundred():
    made = regrets([group([1.0, 2.0], [0.6, 0.5]), group([1.0, 2.0], [np.inf, 0.5])])
    assert made["score"] == pytest.approx([1.2, 100.0])


def test_a_verdict_is_right_where_the_finals_say_the_same():
    def run(final, level, factor=1.0, at=0.0):
        scores = tuple(level - 0.01 * k for k in range(len(MARKS)))
        return ScoredRun(RunKey("parity", 0, 1e-3, factor, at), final, 3.0, scores, scores)

    at_first = [run(0.5, 1.0), run(0.4, 0.9, 0.5, 0.09), run(0.6, 1.1, 2.0, 0.09)]
    made = verdicts([*at_first, run(0.4, 1.1, 0.5, 0.2), run(0.5, 0.9, 2.0, 0.2)])
    assert (made["averaged score"].right, made["averaged score"].counted) == (2, 3)
    assert made["no check"].right == 1
    best, worse = made["averaged score"].regrets
    assert best == 1.0
    assert worse > 1.1


@pytest.fixture(scope="module")
def runs():
    return {run.key: run for run in stored()}


def test_every_run_is_stored(runs):
    assert set(runs) == {key for each in product(LIVE, (0, 1, 2)) for key in keys_of(*each)}


def test_until_its_check_a_rival_is_the_run(runs):
    for key, rival in runs.items():
        run = runs[RunKey(key.workload, key.seed, key.peak)]
        before = sum(mark <= key.at for mark in MARKS)
        assert rival.averaged[:before] == run.averaged[:before]


def test_a_group_has_the_scores_of_its_time(runs):
    race = [runs[key] for key in keys_of("parity", 0) if key.at == 0]
    made = group_of(race, 0.045)
    assert made.averaged == [run.averaged[MARKS.index(0.045)] for run in race]
    assert made.curves[0].steps[-1] == 36  # of 800
