"""A simulated study costs what the same study costs when it is trained."""

import random
from collections.abc import Callable

import pytest

from autolr.study import Finish, Hyperband, Resume, Start, TrialStatus, next_action
from autolr.study.simulation import SimulatedPrice, StudyPlan, expected, simulated

_HYPERBAND = Hyperband(min_steps=10, max_steps=90)  # three brackets


@pytest.mark.parametrize("workers", [1, 4])
def test_without_pruning_every_trial_is_a_whole_run(workers: int) -> None:
    plan = StudyPlan(30, 500, None, workers=workers)
    assert expected(plan) == SimulatedPrice(30 * 500, 0)


def test_a_bracket_that_never_judges_pauses_nothing() -> None:
    assert expected(StudyPlan(7, 90, Hyperband(50, 90))) == SimulatedPrice(7 * 90, 0)


def test_where_each_trial_is_better_than_all_before_it_all_are_promoted() -> None:
    price = simulated(StudyPlan(20, 90, _HYPERBAND), lambda number, rung: -number)
    assert price.steps == 20 * 90
    assert price.checkpoints == 1  # that of the trial in training


@pytest.mark.parametrize("pauses", [True, False])
def test_where_each_is_worse_the_first_in_eta_are_promoted(pauses: bool) -> None:
    one_bracket = StudyPlan(27, 90, Hyperband(30, 90), pauses=pauses)
    # Two brackets take turns: one judges at 30, the other one never does.
    judged = [n for n in range(27) if Hyperband(30, 90).bracket_of(n) == 0]
    promoted = len(judged) // 3 if pauses else 1
    price = simulated(one_bracket, lambda number, rung: number)
    assert price.steps == (27 - len(judged)) * 90 + len(judged) * 30 + promoted * 60
    assert price.checkpoints == (len(judged) - promoted if pauses else 0)


@pytest.mark.parametrize("trials", [1, 2, 13, 40])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pauses", [True, False])
def test_a_worker_does_what_the_study_says(trials: int, seed: int, pauses: bool) -> None:
    draw = random.Random(seed)
    scores = [draw.choice([0.1, draw.random()]) for _ in range(trials)]  # some are equal
    plan = StudyPlan(trials, 90, _HYPERBAND, pauses)
    assert simulated(plan, lambda number, rung: scores[number]).steps == _trained(
        plan, lambda number: scores[number]
    )


def test_a_mean_is_close_to_any_study_of_many_trials() -> None:
    draw = random.Random(7)
    scores = [draw.random() for _ in range(400)]
    plan = StudyPlan(400, 90, _HYPERBAND)
    one = simulated(plan, lambda number, rung: scores[number])
    assert expected(plan).steps == pytest.approx(one.steps, rel=0.05)
    assert expected(plan).checkpoints == pytest.approx(one.checkpoints, rel=0.1)


def test_more_trials_than_are_simulated_cost_in_proportion() -> None:
    thousands, millions = (expected(StudyPlan(n, 90, _HYPERBAND)) for n in (10_000, 1_000_000))
    assert millions == SimulatedPrice(100 * thousands.steps, 100 * thousands.checkpoints)


def _trained(plan: StudyPlan, score: Callable[[int], float]) -> int:
    """Return the steps of one worker that asks `next_action` each time, and only trains."""
    assert plan.hyperband is not None
    steps, trials = 0, list[TrialStatus]()
    while not isinstance(action := next_action(trials, plan.trials, plan.hyperband), Finish):
        assert isinstance(action, Start | Resume)
        number = len(trials) if isinstance(action, Start) else action.number
        bracket = plan.hyperband.bracket_of(number)
        if isinstance(action, Start):
            trials.append(TrialStatus(number, "running", bracket))
        status = trials[number]
        rungs = [*plan.hyperband.rungs(bracket), plan.run_steps]
        for rung in rungs[rungs.index(status.rung) + 1 if status.rung else 0 :]:
            steps += rung - status.rung
            peers = [t.scores[rung] for t in trials if t.bracket == bracket and rung in t.scores]
            scores = {**status.scores, rung: score(number)}
            promoted = plan.hyperband.promotes(score(number), peers)
            over = rung == plan.run_steps or not plan.pauses
            status = TrialStatus(number, "over" if over else "paused", bracket, scores)
            if not promoted:
                break
        trials[number] = status
    return steps
