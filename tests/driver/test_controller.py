"""What becomes of trials, decided from what their attempts came to."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from autolr.config import read_config
from autolr.driver.controller import TrialController
from autolr.driver.events import Event, TrialEnded, TrialFailed
from autolr.driver.work import Work, has_no_step
from autolr.errors import UserCodeError
from autolr.job import Decision, TrialResult
from autolr.study import SEARCHES, Hyperband, Study, TrialRecord, open_study

STEPS = 90


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[Study]:
    opened = open_study(f"sqlite:///{tmp_path}/runs.db", "digits", hyperband=Hyperband(10, STEPS))
    yield opened
    opened.close()


@pytest.fixture
def controller(tmp_path: Path, handle: Study, heard: list[Event]) -> TrialController:
    tune = {"space": {"lr": {"low": 1e-5, "high": 1.0}}, "out": str(tmp_path), "trials": 9}
    config = read_config({"tune": {**tune, "storage": f"sqlite:///{tmp_path}/runs.db"}})
    return TrialController(config, handle, Hyperband(10, STEPS), STEPS, heard.append)


def begin(controller: TrialController) -> int:
    work = controller.next()
    assert isinstance(work, Work)
    return work.number


def outcome(value: float, steps: int, **more: Any) -> TrialResult:
    return TrialResult(value, {"val_loss": value}, steps, STEPS, 1.0, 0.1, **more)


def test_what_raises_before_the_first_step_fails_its_trial_at_once(
    controller: TrialController, handle: Study, heard: list[Event]
) -> None:
    number = begin(controller)
    controller.fail(number, "TypeError: no image (model.py:3)", unbegun=True)
    record = handle.trial(number)
    assert (record.state, record.attrs["attempts"]) == ("FAIL", 1)
    assert record.attrs["reason"] == "TypeError: no image (model.py:3)"
    assert isinstance(heard[-1], TrialEnded)
    assert begin(controller) == number + 1


def test_what_raises_later_has_three_attempts(controller: TrialController, handle: Study) -> None:
    for _ in range(3):
        number = begin(controller)
        assert number == 0
        controller.fail(number, "out of memory")
    assert (handle.trial(0).state, handle.trial(0).attrs["attempts"]) == ("FAIL", 3)


def test_a_trial_that_has_made_a_step_before_is_tried_again_whatever_raises(
    controller: TrialController, handle: Study, heard: list[Event]
) -> None:
    number = begin(controller)
    assert controller.judge(number, 10, 0.5) == Decision.CONTINUE
    controller.cut(number)
    assert begin(controller) == number
    controller.fail(number, "OSError: no disk", unbegun=True)
    assert handle.trial(number).state == "WAITING"
    assert heard[-1] == TrialFailed(number, 1, "OSError: no disk")


@pytest.mark.parametrize(
    ("attrs", "scores", "none"),
    [
        ({}, {}, True),
        ({"restarts": 2}, {}, True),
        ({"attempts": 1}, {}, False),
        ({"steps": 7}, {}, False),
        ({}, {10: 0.5}, False),
    ],
)
def test_a_step_is_known_by_what_it_left(
    attrs: dict[str, Any], scores: dict[int, float], none: bool
) -> None:
    assert has_no_step(TrialRecord(0, "RUNNING", None, {}, attrs, scores)) == none


@pytest.mark.parametrize(("unbegun", "when"), [(True, " before their first step"), (False, "")])
def test_three_trials_in_a_row_that_fail_end_the_study_with_the_users_own_error(
    controller: TrialController, unbegun: bool, when: str
) -> None:
    for _ in range(2 if unbegun else 8):
        controller.fail(begin(controller), "KeyError: 'x'", unbegun=unbegun)
    number = begin(controller)
    message = f"^3 trials in a row failed{when}, the last one: KeyError: 'x'"
    with pytest.raises(UserCodeError, match=message):
        controller.fail(number, "KeyError: 'x'", unbegun=unbegun)


def test_a_run_that_stopped_early_ends_its_trial_as_pruned(
    controller: TrialController, handle: Study
) -> None:
    number = begin(controller)
    controller.end(number, outcome(0.456, 40, stopped_at=40))
    record = handle.trial(number)
    assert (record.state, record.value, record.stopped) == ("PRUNED", None, True)
    assert record.scores == {40: 0.456}
    assert record.attrs["reason"] == "the run stopped early, after 40 of 90 steps"
    assert handle.finished == 1
    controller.end(begin(controller), outcome(0.9, STEPS))
    assert [trial.value for trial in handle.best(9)] == [0.9]


def test_a_run_of_another_length_that_stopped_early_is_scored_at_its_share_of_the_steps(
    controller: TrialController, handle: Study
) -> None:
    number = begin(controller)
    half = TrialResult(0.4, {}, 40, 2 * STEPS, 1.0, 0.1, False, False, stopped_at=40)
    controller.end(number, half)
    assert handle.trial(number).scores == {20: 0.4}


def test_a_run_that_stopped_at_a_rung_keeps_the_score_of_the_rung(
    controller: TrialController, handle: Study
) -> None:
    number = begin(controller)
    controller.judge(number, 30, 0.3)
    controller.end(number, outcome(0.5, 30, stopped_at=30))
    record = handle.trial(number)
    assert record.scores == {30: 0.3}
    assert record.attrs["stopped_value"] == 0.5
    assert handle.statuses()[0].scores == {30: 0.3}


def test_a_trial_that_pauses_waits_and_is_resumed_as_promoted_or_ends_with_the_study(
    controller: TrialController, handle: Study, heard: list[Event]
) -> None:
    number = begin(controller)
    controller.judge(number, 10, 0.5)
    controller.end(number, outcome(0.5, 10, paused=True))
    assert handle.trial(number).state == "WAITING"
    assert not isinstance(heard[-1], TrialEnded)
    controller.finish()
    record = handle.trial(number)
    assert (record.state, record.attrs["reason"]) == ("PRUNED", "not among the best at its rung")
    assert isinstance(heard[-1], TrialEnded)


def test_a_score_that_is_not_finite_stops_its_trial(controller: TrialController) -> None:
    assert controller.judge(begin(controller), 10, math.nan) is Decision.STOP


def test_a_score_that_is_not_promoted_pauses_its_trial(controller: TrialController) -> None:
    decisions = [controller.judge(begin(controller), 10, 0.1 * i) for i in range(1, 6)]
    assert Decision.STOP not in decisions
    assert decisions[-1] is Decision.PAUSE


@pytest.mark.parametrize("pauses", [True, False])
def test_jobs_pause_only_where_the_objective_can_resume_a_run(
    pauses: bool, tmp_path: Path, handle: Study, heard: list[Event]
) -> None:
    tune = {"space": {"lr": [0.1, 0.01]}, "out": str(tmp_path)}
    config = read_config({"tune": {**tune, "storage": f"sqlite:///{tmp_path}/runs.db"}})
    brackets = Hyperband(10, STEPS)
    controller = TrialController(config, handle, brackets, STEPS, heard.append, pauses=pauses)
    work = controller.next()
    assert isinstance(work, Work)
    assert work.job.pauses == pauses


def test_the_job_of_a_trial_that_was_cut_knows_the_scores_of_its_rungs(
    controller: TrialController,
) -> None:
    number = begin(controller)
    controller.judge(number, 10, 0.5)
    controller.cut(number)
    work = controller.next()
    assert isinstance(work, Work)
    assert (work.number, work.job.known) == (number, (10,))
    assert controller.trained == {number}


def test_where_no_trial_has_come_to_its_end_a_pause_does_not_hide_failures(
    controller: TrialController, handle: Study
) -> None:
    controller.judge(begin(controller), 10, 0.1)
    for _ in range(3):
        controller.fail(0, "KeyError: 'x'")
        number = begin(controller)
    controller.fail(number, "KeyError: 'x'", unbegun=True)
    number = begin(controller)
    assert controller.judge(number, 10, 0.5) is Decision.PAUSE
    controller.end(number, outcome(0.5, 10, paused=True))
    with pytest.raises(UserCodeError, match=r"^3 trials in a row failed"):
        controller.fail(begin(controller), "KeyError: 'x'", unbegun=True)
    assert [trial.state for trial in handle.trials] == ["FAIL", "FAIL", "WAITING", "FAIL"]


def test_the_next_call_searches_where_the_one_before_it_had_failures_only(
    tmp_path: Path, handle: Study, heard: list[Event]
) -> None:
    tune = {"space": {"lr": {"low": 1e-5, "high": 1.0}}, "out": str(tmp_path), "trials": 9}
    config = read_config({"tune": {**tune, "storage": f"sqlite:///{tmp_path}/runs.db"}})
    calls = [TrialController(config, handle, None, STEPS, heard.append, online=True)] * 3
    calls += [TrialController(config, handle, None, STEPS, heard.append, online=True)] * 2
    searching = []
    for controller in calls:
        work = controller.next()
        assert isinstance(work, Work)
        searching.append(work.job.search is not None)
        with suppress(UserCodeError):  # of the third one in a row
            controller.fail(work.number, "KeyError: 'x'", unbegun=True)
    assert searching == [True, False, False, True, False]
    assert [SEARCHES in trial.attrs for trial in handle.trials] == searching
