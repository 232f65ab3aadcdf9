"""What a study does next, decided from lists of numbers."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from autolr.study import Finish, Hyperband, Resume, Start, TrialStatus, Wait, next_action

BAND = Hyperband(1, 9)  # bracket 0 is judged at 1 and 3, bracket 1 at 3, bracket 2 never


def paused(number: int, rung: int, score: float, bracket: int = 0) -> TrialStatus:
    scores = {r: score for r in BAND.rungs(bracket) if r <= rung}
    return TrialStatus(number, "paused", bracket, scores)


def over(number: int, score: float, bracket: int = 0) -> TrialStatus:
    return replace(paused(number, 9, score, bracket), progress="over")


def test_an_empty_study_starts_a_trial() -> None:
    assert next_action([], 1, BAND) == Start()


def test_what_was_cut_goes_first_the_lowest_number_before_all() -> None:
    cut = [TrialStatus(4, "cut", 0, {1: 9.0}), TrialStatus(2, "cut", 0)]
    assert next_action([paused(0, 1, 1.0), *cut], 9, BAND) == Resume(2, promoted=False)


def test_one_in_eta_of_a_rung_is_promoted() -> None:
    rung = [paused(number, 1, float(number)) for number in range(6)]
    assert next_action(rung, 9, BAND) == Resume(0, promoted=True)
    rung[0] = over(0, 0.0)
    assert next_action(rung, 9, BAND) == Resume(1, promoted=True)  # 6 // 3 = 2
    rung[1] = over(1, 1.0)
    assert next_action(rung, 9, BAND) == Start()


def test_the_trial_that_came_furthest_is_promoted_first() -> None:
    trials = [paused(0, 1, 1.0), paused(1, 3, 2.0, bracket=1)]
    assert next_action(trials, 9, BAND) == Resume(1, promoted=True)


def test_a_score_that_is_not_finite_is_never_promoted() -> None:
    assert next_action([paused(0, 1, math.nan)], 1, BAND) == Finish()


def test_brackets_are_judged_apart() -> None:
    trials = [over(0, 0.5, bracket=1), paused(1, 3, 0.9, bracket=0), over(2, 1.0, bracket=0)]
    assert next_action(trials, 3, BAND) == Resume(1, promoted=True)


def test_failed_trials_do_not_count() -> None:
    trials = [over(0, 1.0), TrialStatus(1, "failed", 1)]
    assert next_action(trials, 1, BAND) == Finish()
    assert next_action(trials, 2, BAND) == Start()


def test_who_has_nothing_to_do_waits_for_those_who_train() -> None:
    trials = [over(0, 1.0), TrialStatus(1, "running", 0), paused(2, 1, 2.0)]
    assert next_action(trials, 3, BAND) == Wait()
    assert next_action([trials[0], over(1, 1.5), trials[2]], 3, BAND) == Finish()


def test_without_hyperband_trials_are_only_started() -> None:
    assert next_action([TrialStatus(0, "over")], 2, None) == Start()
    assert next_action([TrialStatus(0, "over")], 1, None) == Finish()


def simulate(
    seed: int, workers: int, wanted: int, loss: Callable[[int, int], float]
) -> list[TrialStatus]:
    """Run a study in which any running trial may be the next to reach its rung, or to be cut."""
    draw = random.Random(seed)
    trials: list[TrialStatus] = []
    passed: dict[int, int] = {}
    for _ in range(10_000):
        running = [trial for trial in trials if trial.progress == "running"]
        action = next_action(trials, wanted, BAND)
        if len(running) < workers and isinstance(action, Start):
            number = len(trials)
            trials.append(TrialStatus(number, "running", BAND.bracket_of(number)))
        elif len(running) < workers and isinstance(action, Resume):
            old = trials[action.number]
            assert old.progress == ("paused" if action.promoted else "cut")
            if action.promoted:
                passed[old.number] = old.rung
            trials[action.number] = replace(old, progress="running")
        elif running:
            step(trials, draw.choice(running), passed, draw, loss)
        else:
            assert action == Finish()
            return trials
    raise AssertionError("the study does not end")


def step(
    trials: list[TrialStatus],
    trial: TrialStatus,
    passed: dict[int, int],
    draw: random.Random,
    loss: Callable[[int, int], float],
) -> None:
    assert trial.bracket is not None
    ahead = [rung for rung in BAND.rungs(trial.bracket) if rung > passed.get(trial.number, 0)]
    if draw.random() < 0.2:
        trials[trial.number] = replace(trial, progress="cut")
    elif ahead:
        scores = {**trial.scores, ahead[0]: loss(trial.number, ahead[0])}
        trials[trial.number] = replace(trial, progress="paused", scores=scores)
    else:
        trials[trial.number] = replace(trial, progress="over")


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("seed", range(5))
def test_every_study_ends_and_promotes_no_more_than_it_may(seed: int, workers: int) -> None:
    losses = random.Random(seed + 99)
    table = {(n, r): losses.choice([losses.random(), math.nan]) for n in range(40) for r in (1, 3)}
    trials = simulate(seed, workers, 40, lambda number, rung: table[number, rung])
    assert len(trials) == 40
    assert {trial.progress for trial in trials} <= {"over", "paused"}
    for bracket in range(BAND.brackets):
        for rung in BAND.rungs(bracket):
            seen = [t for t in trials if t.bracket == bracket and rung in t.scores]
            gone = [t for t in seen if t.progress == "over" or t.rung > rung]
            best = sorted(t.scores[rung] for t in seen if math.isfinite(t.scores[rung]))
            # at the end all of the best have gone on; who else did was among the best once
            for trial in seen:
                rank = best.index(trial.scores[rung]) if trial.scores[rung] in best else len(best)
                if rank < max(1, len(seen) // 3) and math.isfinite(trial.scores[rung]):
                    assert trial in gone


def test_with_constant_scores_the_decisions_are_the_same_in_every_run() -> None:
    ends = [simulate(3, 4, 30, lambda number, rung: float(number % 5)) for _ in range(2)]
    assert ends[0] == ends[1]
