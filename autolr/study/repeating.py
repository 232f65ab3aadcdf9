"""A trial that has the point of an earlier one: it gets that one's score, and is not trained."""

from typing import Any

import optuna

from autolr.study.handle import Study
from autolr.study.records import (
    DIVERGED,
    OFF_RUNG,
    SAME_AS,
    SPREAD,
    STOPPED_AT,
    STOPPED_VALUE,
    TrialRecord,
)

_KEPT = ("run_steps", "metrics", "found", SPREAD, STOPPED_AT, STOPPED_VALUE)


def repeat(handle: Study, trial: optuna.Trial, twin: TrialRecord) -> TrialRecord:
    """End a trial with what an earlier one with the same parameters came to, at no cost.

    It is complete if the other one is; else it is pruned with the last score of the other one,
    which no rung compares.

    Args:
        handle: The study.
        trial: A running trial that has made no step.
        twin: The earlier trial, in any state but FAIL.
    """
    attrs: dict[str, Any] = {name: twin.attrs[name] for name in _KEPT if name in twin.attrs}
    attrs |= {SAME_AS: twin.number, "steps": 0, "seconds": 0.0}
    if twin.value is not None:
        return handle.complete(trial, twin.value, attrs, cost=twin.cost)
    if twin.scores and twin.cost is None:
        step, score = max(twin.scores.items())
        handle.note(trial, {OFF_RUNG: step})
        handle.report(trial, step, score)
    reason = DIVERGED if twin.diverged else f"the same candidate as trial {twin.number}"
    return handle.prune(trial, reason, attrs)
