"""How far a study is, and how long it still takes."""

import pytest

from autolr.config import read_config
from autolr.driver import RungReached, StudyReady, TrialEnded, TrialStarted
from autolr.driver.pace import Pace, made_before
from autolr.study import Hyperband, TrialRecord

STEPS = 90


def ready(done: int = 0, hyperband: Hyperband | None = None, **tune: object) -> StudyReady:
    pruner = "hyperband" if hyperband else "none"
    config = read_config({"tune": {"space": {"lr": 0.1}, "trials": 4, "pruner": pruner, **tune}})
    return StudyReady(config, STEPS, hyperband, 0, (), (), done)


def complete(number: int) -> TrialRecord:
    return TrialRecord(number, "COMPLETE", 0.5, {}, {}, {})


def test_trials_of_a_constant_pace_are_told_to_the_second() -> None:
    pace = Pace(ready(), 0.0)
    pace.observe(TrialStarted(0, {}, None, False), 10.0)  # 10 s of imports
    assert pace.left(20.0) is None
    pace.observe(TrialEnded(complete(0), True), 110.0)  # 100 s a trial, four trials
    assert pace.left(110.0) == pytest.approx(300.0)
    assert pace.share(110.0) == pytest.approx(0.25)
    assert pace.left(160.0) == pytest.approx(250.0)  # between the events, too
    assert pace.share(160.0) == pytest.approx(0.375)
    assert pace.left(999.0) == 0.0
    assert pace.share(999.0) == 0.99


def test_two_workers_are_twice_as_fast() -> None:
    pace = Pace(ready(workers=2), 0.0)
    for number in (0, 1):
        pace.observe(TrialStarted(number, {}, None, False), 0.0)
    for number in (0, 1):
        pace.observe(TrialEnded(complete(number), True), 100.0)
    assert pace.left(100.0) == pytest.approx(100.0)


def test_rungs_count_the_steps_between_them_once() -> None:
    pace = Pace(ready(), 0.0)
    pace.observe(TrialStarted(0, {}, 0, False), 0.0)
    pace.observe(RungReached(0, 10, 0.5, False, True), 10.0)
    pace.observe(TrialStarted(0, {}, 0, True, promoted=10), 10.0)
    pace.observe(RungReached(0, 30, 0.5, True), 30.0)
    assert pace.left(30.0) == pytest.approx(4 * STEPS - 30)  # a second a step


def test_what_was_made_before_is_not_counted_again() -> None:
    trials = [complete(0), TrialRecord(1, "WAITING", None, {}, {}, {10: 0.5, 30: 0.4})]
    assert made_before(trials, STEPS) == STEPS + 30
    pace = Pace(ready(done=STEPS), 0.0)
    pace.observe(TrialStarted(1, {}, None, False), 0.0)
    pace.observe(TrialEnded(complete(1), False), 45.0)
    assert pace.left(45.0) == pytest.approx(2 * 45.0)


def test_a_timeout_ends_it_earlier() -> None:
    pace = Pace(ready(timeout=150.0), 0.0)
    pace.observe(TrialStarted(0, {}, None, False), 0.0)
    pace.observe(TrialEnded(complete(0), True), 100.0)
    assert pace.left(100.0) == pytest.approx(50.0)


def test_pruning_is_expected() -> None:
    whole, pruned = (
        Pace(ready(trials=30), 0.0),
        Pace(ready(0, Hyperband(10, STEPS), trials=30), 0.0),
    )
    for pace in (whole, pruned):
        pace.observe(TrialStarted(0, {}, 0, False), 0.0)
        pace.observe(RungReached(0, 10, 0.5, False, True), 10.0)
    assert (pruned.left(10.0) or 0.0) < 0.7 * (whole.left(10.0) or 0.0)
