"""The rates of a run that changes its rate from stage to stage, and the run as a candidate."""

from itertools import pairwise
from typing import TypeAlias

from autolr import schedules
from autolr.candidate import Candidate

RateHistory: TypeAlias = tuple[tuple[int, float], ...]
"""The rates of a run, each behind the step from which on it holds; the first is 0."""


def changed(history: RateHistory, step: int, rate: float) -> RateHistory:
    """Return the rates of a run that has another one from a step on.

    Args:
        history: The rates of the run; those that begin with the step or later are left out.
        step: The step.
        rate: The rate from there on.

    >>> changed(((0, 0.1), (50, 0.2), (90, 0.3)), 60, 0.4)
    ((0, 0.1), (50, 0.2), (60, 0.4))
    """
    return (*(change for change in history if change[0] < step), (step, rate))


def run_of(history: RateHistory, peak: float | None = None) -> Candidate:
    """Return the candidate with these rates.

    Args:
        history: The rates; none but the first begins with the first step, see `Schedule.over`.
        peak: The rate that counts as its peak; None: the highest of them.

    >>> run_of(((0, 0.1), (50, 0.2))).schedule.values(52)[48:].tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    peak = max(rate for _, rate in history) if peak is None else peak
    _, first = history[0]
    schedule = schedules.constant() if first == peak else schedules.constant() * (first / peak)
    for (_, before), (step, after) in pairwise(history):
        change = schedules.constant().over(step) | schedules.constant() * (after / before)
        schedule = schedule * change
    return Candidate(peak=peak, schedule=schedule)
