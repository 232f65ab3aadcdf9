"""Whether the last trials of a study improved it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from autolr.study import TrialRecord, has_stalled
from autolr.study.records import State

NIGHT = datetime(2026, 1, 1)


def trial(number: int, value: float | None, state: State = "COMPLETE", **more: Any) -> TrialRecord:
    started = NIGHT + timedelta(minutes=more.pop("minute", number))
    return TrialRecord(number, state, value, {}, {}, more.pop("scores", {}), started, **more)


def complete(*values: float) -> list[TrialRecord]:
    return [trial(number, value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "stalled"),
    [
        ([1.0, 1.0, 1.0], False),  # none was before the last three
        ([1.0, 1.0, 2.0, 1.5], True),
        ([1.0, 2.0, 0.9, 1.5], False),
        ([1.0, 0.9, 2.0, 1.5], False),
        ([2.0, 1.0, 0.9, 2.0, 1.5], False),
        ([0.9, 1.0, 2.0, 1.5, 3.0], True),
    ],
)
def test_a_study_has_stalled_when_the_last_trials_are_no_better_than_the_best_before(
    values: list[float], stalled: bool
) -> None:
    assert has_stalled(complete(*values), "minimize", 3) == stalled
    assert has_stalled(complete(*(-value for value in values)), "maximize", 3) == stalled


@pytest.mark.parametrize(("improvement", "stalled"), [(0.0, False), (0.24, False), (0.25, True)])
def test_an_improvement_that_is_too_small_counts_as_none(improvement: float, stalled: bool) -> None:
    assert has_stalled(complete(1.0, 0.75, 2.0), "minimize", 2, improvement) == stalled


def test_trials_that_are_cut_run_or_failed_do_not_count_and_paused_and_pruned_ones_do() -> None:
    begun = complete(1.0)
    for state, scores in (("FAIL", {}), ("RUNNING", {5: 2.0}), ("WAITING", {})):
        assert not has_stalled([*begun, trial(1, None, state, scores=scores)], "minimize", 1)  # type: ignore[arg-type]
    for state, scores in (("PRUNED", {}), ("WAITING", {5: 2.0})):
        assert has_stalled([*begun, trial(1, None, state, scores=scores)], "minimize", 1)  # type: ignore[arg-type]


def test_a_trial_that_was_promoted_late_is_among_the_last_ones() -> None:
    late = trial(0, 0.5, minute=9)
    others = [trial(number, 1.0) for number in range(1, 5)]
    assert not has_stalled([late, *others], "minimize", 2)
    assert has_stalled([trial(0, 0.5), *others], "minimize", 2)


def test_with_a_cost_a_new_trial_on_the_front_is_an_improvement() -> None:
    begun = [trial(0, 1.0, cost=5.0), trial(1, 0.5, cost=9.0)]
    assert not has_stalled([*begun, trial(2, 0.7, cost=7.0)], "minimize", 1)
    assert has_stalled([*begun, trial(2, 0.7, cost=9.0)], "minimize", 1)
    assert has_stalled([*begun, trial(2, 1.0, cost=5.0)], "minimize", 1)
