"""Studies that train, within a budget of steps."""

import math

import pytest

from examples.time_to_target.live_studies import Trace, live_study
from examples.time_to_target.workloads import make

SCALE = 0.02


def test_a_trial_counts_when_its_last_step_is_within_the_budget() -> None:
    trace = Trace([(120, 0.5, 0.1), (240, 0.3, 0.2), (241, 0.2, 0.3)])
    assert trace.best(119)[0] == math.inf
    assert trace.best(240) == (0.3, 0.2)
    assert trace.best(1000) == (0.2, 0.3)


@pytest.mark.slow
def test_a_study_that_trains_stays_within_its_budget_and_counts_what_it_cost() -> None:
    task = make("logreg_digits", 0, SCALE)
    outcome = live_study(2, "logreg_digits", 0, SCALE)
    assert task.steps < outcome.total_steps <= 2 * task.steps
    assert outcome.final < 0.5 * task.validate(task.model)
    assert outcome.validation_passes >= 1
    assert min(task.peaks) <= outcome.peak <= max(task.peaks)
