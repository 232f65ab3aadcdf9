import math
import os
import signal
import subprocess
import warnings
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from autolr.study import (
    OFF_RUNG,
    STOPPED_AT,
    STOPPED_VALUE,
    Hyperband,
    Study,
    Summary,
    TrialRecord,
    leader,
    locked,
    open_study,
    peek,
    transitions,
)
from autolr.study.records import Direction

Start = Callable[..., subprocess.Popen[str]]


def look(url: str) -> Summary:
    summary = peek(url, "digits")
    assert summary is not None
    return summary


def run(handle: Study, value: float, **attrs: Any) -> TrialRecord:
    trial = handle.ask()
    trial.suggest_float("lr", 0.0, 1.0)
    return handle.complete(trial, value, attrs)


def test_finished_trials_are_those_complete_or_pruned(url: str) -> None:
    handle = open_study(url, "digits")
    run(handle, 1.0)
    handle.prune(handle.ask(), "halved")
    handle.fail(handle.ask(), "out of memory")
    handle.ask()
    assert handle.finished == 2
    summary = look(url)
    assert (summary.finished, summary.failed, summary.running, summary.waiting) == (2, 1, 1, 0)
    assert [trial.attrs.get("reason") for trial in summary.trials] == [
        None,
        "halved",
        "out of memory",
        None,
    ]


def test_memory_and_storage_tell_the_same(url: str) -> None:
    handle = open_study(url, "digits", hyperband=Hyperband(10, 90))
    for number in range(12):
        trial = handle.ask()
        trial.suggest_float("lr", 0.0, 1.0)
        if handle.judge(trial, 10, float(number % 4)) and number % 5:
            handle.complete(trial, number % 4 / 10, {"candidate": f"c{number}"})
        else:
            handle.prune(trial, "halved")
    handle.set_attr("config", {"a": 1})
    summary = look(url)
    assert summary == Summary("digits", "minimize", {}, {"config": {"a": 1}}, handle.trials)
    assert open_study(url, "digits").trials == handle.trials


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_never_complete(url: str, value: float) -> None:
    handle = open_study(url, "digits")
    record = run(handle, value, candidate="c1")
    assert record.state == "PRUNED"
    assert record.value is None
    assert record.attrs == {"candidate": "c1", "reason": "diverged"}
    assert handle.finished == 1
    assert handle.best() == ()


def test_a_diverged_trial_is_never_a_good_one_to_the_sampler(url: str) -> None:
    handle = open_study(url, "digits", seed=1)
    for _ in range(40):
        trial = handle.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        if x < 0.5:
            handle.report(trial, 90, 0.0)  # far, and splendid until it diverged
            handle.complete(trial, math.nan)
        else:
            handle.report(trial, 10, 1 - x)
            handle.prune(trial, "halved")
    proposed = [trial.params["x"] for trial in handle.trials[10:]]  # the rest is random
    assert sum(x >= 0.5 for x in proposed) > 20


@pytest.mark.parametrize(("direction", "numbers"), [("minimize", [1, 3]), ("maximize", [2, 0])])
def test_the_best_trials_come_first(url: str, direction: Direction, numbers: list[int]) -> None:
    handle = open_study(url, "digits", direction=direction)
    for value in (3.0, 1.0, 4.0, 1.0):
        run(handle, value)
    handle.prune(handle.ask(), "halved")
    assert [trial.number for trial in handle.best(2)] == numbers
    assert handle.best(2) == look(url).best(2)
    assert len(handle.best(99)) == 4


def stop(handle: Study, value: float, at: int = 30) -> TrialRecord:
    """End a trial whose run stopped early."""
    trial = handle.ask()
    handle.note(trial, {OFF_RUNG: at})
    handle.report(trial, at, value)
    return handle.prune(trial, "stopped", {STOPPED_AT: at, STOPPED_VALUE: value})


@pytest.mark.parametrize(("direction", "first"), [("minimize", 1), ("maximize", 0)])
def test_a_run_that_stopped_early_leads_only_while_none_is_whole(
    url: str, direction: Direction, first: int
) -> None:
    handle = open_study(url, "digits", direction=direction)
    assert leader(handle.trials, direction) is None
    for value in (0.5, 0.1, 0.3):
        assert stop(handle, value).stopped
    handle.prune(handle.ask(), "halved")
    result = leader(look(url).trials, direction)
    assert result is not None
    assert result.number == first
    assert (handle.best(), handle.finished) == ((), 4)
    whole = run(handle, 9.0 if direction == "minimize" else -9.0)
    assert leader(handle.trials, direction) == whole
    assert handle.best(9) == (whole,)


def test_a_run_that_stopped_early_has_no_part_in_the_decisions_of_a_rung(url: str) -> None:
    handle = open_study(url, "digits", hyperband=Hyperband(10, 90))
    stopped = stop(handle, 0.0)  # at a rung, of an average that it does not have
    (status,) = handle.statuses()
    assert (status.progress, status.scores) == ("over", {})
    assert stopped.scores == {30: 0.0}  # for the sampler
    while (trial := handle.ask()).user_attrs["bracket"] != stopped.attrs["bracket"]:
        handle.fail(trial, "of another bracket")
    assert handle.judge(trial, 30, 5.0)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_trials_are_judged_among_their_bracket(url: str, direction: Direction, sign: int) -> None:
    hyperband = Hyperband(10, 90)
    handle = open_study(url, "digits", direction=direction, hyperband=hyperband)
    trials = [handle.ask() for _ in range(8)]
    same = [trial for trial in trials if trial.user_attrs["bracket"] == 0]
    other = next(trial for trial in trials if trial.user_attrs["bracket"] == 1)
    assert handle.judge(other, 30, sign * 0.0)
    assert handle.judge(same[0], 30, sign * 2.0)
    assert not handle.judge(same[1], 30, sign * 3.0)
    assert handle.judge(same[2], 30, sign * 1.0)
    assert not handle.judge(same[3], 30, math.inf)


def test_brackets_follow_hyperband(url: str) -> None:
    hyperband = Hyperband(10, 90)
    handle = open_study(url, "digits", hyperband=hyperband)
    brackets = [handle.ask().user_attrs["bracket"] for _ in range(10)]
    assert brackets == [hyperband.bracket_of(number) for number in range(10)]


def test_a_trial_whose_process_was_killed_before_it_had_its_bracket_gets_it(url: str) -> None:
    hyperband = Hyperband(10, 90)
    handle = open_study(url, "digits", hyperband=hyperband)
    handle.close()
    transitions.begin(optuna.load_study(study_name="digits", storage=url))  # no more of `ask`
    again = open_study(url, "digits", hyperband=hyperband)
    assert again.recover() == (0,)
    again.resume(0)
    assert again.trial(0).attrs["bracket"] == hyperband.bracket_of(0)


def test_without_hyperband_only_divergence_ends_a_trial(url: str) -> None:
    handle = open_study(url, "digits")
    first, second = handle.ask(), handle.ask()
    assert handle.judge(first, 10, 1.0)
    assert handle.judge(second, 10, 99.0)
    assert not handle.judge(second, 20, math.nan)


def test_scores_are_known_to_the_next_process(url: str) -> None:
    hyperband = Hyperband(10, 90)
    first = open_study(url, "digits", hyperband=hyperband)
    for score in (1.0, 2.0):
        first.judge(first.ask(), 10, score)
    again = open_study(url, "digits", hyperband=hyperband)
    assert [status.scores for status in again.statuses()] == [{10: 1.0}, {10: 2.0}]


CUT = """
import sys, time
from autolr.study import Hyperband, locked, open_study
with locked(sys.argv[1], "digits"):
    handle = open_study(sys.argv[1], "digits", seed=7, hyperband=Hyperband(10, 90))
    handle.check_fingerprint({"seed": 7})
    for _ in range(2):
        trial = handle.ask()
        handle.complete(trial, trial.suggest_float("lr", 0, 1))
    cut = [handle.ask(), handle.ask()]
    for trial in reversed(cut):
        x = trial.suggest_float("lr", 0, 1)
        handle.report(trial, 10, x)
    print(cut[0].params["lr"], flush=True)
    time.sleep(60)
"""


def test_a_killed_study_continues_where_it_was(url: str, start: Start) -> None:
    process = start(CUT, url)
    assert process.stdout is not None
    rate = float(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert look(url).running == 2
    with locked(url, "digits"), warnings.catch_warnings():
        warnings.simplefilter("error")  # such as Optuna's about a step reported twice
        handle = open_study(url, "digits", seed=7, hyperband=Hyperband(10, 90))
        handle.check_fingerprint({"seed": 7})
        assert handle.finished == 2
        assert handle.recover() == (2, 3)
        assert look(url).waiting == 2
        trial = handle.resume(2)
        assert trial.number == 2
        assert trial.suggest_float("lr", 0, 1) == rate
        assert trial.suggest_float("momentum", 0, 1) >= 0
        assert handle.report(trial, 10, 999.0) == rate
        handle.report(trial, 30, 0.5)
        record = handle.complete(trial, 0.25)
        assert dict(record.scores) == {10: rate, 30: 0.5}
        assert record.attrs == {"bracket": handle.trials[2].attrs["bracket"], "restarts": 1}
        assert [handle.ask().number for _ in range(2)] == [4, 5]  # those that wait are left


def test_restarts_are_counted(url: str) -> None:
    for restarts in (1, 2, 3):
        handle = open_study(url, "digits")
        if restarts == 1:
            handle.ask()
        assert handle.recover() == (0,)
        assert handle.recover() == ()
        handle.resume(0)
        assert look(url).trials[0].attrs["restarts"] == restarts
