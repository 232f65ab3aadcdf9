"""What is stored of a trial when a job of it has ended."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autolr import schedules, study
from autolr.candidate import Candidate
from autolr.counted import counted
from autolr.job import TrialResult
from autolr.study import Study, TrialRecord

if TYPE_CHECKING:
    import optuna

UNPROMOTED = "not among the best at its rung"


def tell(
    handle: Study,
    trial: "optuna.Trial",
    candidate: Candidate,
    outcome: TrialResult,
    run_steps: int,
    more: Mapping[str, Any],
) -> TrialRecord:
    """Store what a job came to: the trial ends, or waits.

    Args:
        handle: The study.
        trial: A running trial.
        candidate: What it was trained with.
        outcome: Finished, paused, pruned or diverged.
        run_steps: Optimizer steps of the run that rungs are meant for.
        more: Other attributes.
    """
    attrs: dict[str, Any] = {
        "steps": outcome.steps,
        "run_steps": outcome.run_steps,
        "metrics": {k: v for k, v in outcome.metrics.items() if math.isfinite(v)},
        "found": _followed(candidate, outcome).to_dict(),
        **more,
    }
    attrs |= {} if outcome.own_peak is None else {study.OWN_PEAK: outcome.own_peak}
    attrs |= {study.SEARCHED: True} if outcome.searched else {}
    attrs |= {study.DISCARDED: outcome.discarded} if outcome.discarded else {}
    attrs |= {study.AVERAGED: outcome.averaged} if outcome.averaged else {}
    if outcome.diverged:
        return handle.prune(trial, study.DIVERGED, attrs)
    if outcome.paused:
        return handle.pause(trial, attrs)
    if outcome.pruned:
        return handle.prune(trial, UNPROMOTED, attrs)
    if outcome.stopped_at is not None:
        return _stopped(handle, trial, outcome, run_steps, outcome.stopped_at, attrs)
    return handle.complete(trial, outcome.value, attrs)


def _followed(candidate: Candidate, outcome: TrialResult) -> Candidate:
    """Return what a run has followed: a search inside it finds its peak, and may cut the rate."""
    given = candidate.schedule if outcome.own_peak is None else schedules.constant()
    schedule = given if outcome.schedule is None else outcome.schedule
    return replace(candidate, peak=outcome.peak, schedule=schedule)


def _stopped(
    handle: Study,
    trial: "optuna.Trial",
    outcome: TrialResult,
    run_steps: int,
    steps: int,
    attrs: dict[str, Any],
) -> TrialRecord:
    """End a trial whose run ended by itself, as one that was pruned there.

    Its last value is that of a run that was not annealed: the sampler gets it, no rung does.
    """
    attrs |= {study.STOPPED_AT: steps, study.STOPPED_VALUE: outcome.value}
    step = run_steps * steps // outcome.run_steps  # as rungs are counted
    if not handle.has_cost and step not in handle.trial(trial.number).scores:
        handle.note(trial, {study.OFF_RUNG: step})
        handle.report(trial, step, outcome.value)
    reason = f"the run stopped early, after {steps} of {counted(outcome.run_steps, 'step')}"
    return handle.prune(trial, reason, attrs)
