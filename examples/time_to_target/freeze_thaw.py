"""Freeze-thaw: which trial of a study continues, by a forecast of what that gains."""

import math
from collections.abc import Sequence
from operator import itemgetter
from statistics import NormalDist

import numpy as np

from autolr.study import Action, Resume, Start, TrialRecord

_LEAST, _UNKNOWN = 0.05, 0.3  # deviations of forecasts: the lowest, and from less than two trials


def thawed(trials: Sequence[TrialRecord], run_steps: int) -> Action:
    """Return what is expected to gain most for its steps: a paused trial, or a new one.

    A forecast is normal in the log of the loss: the loss at the last rung, moved as the losses of
    complete trials moved from there to their end. A new trial ends as the others are expected to.

    Args:
        trials: Of the study, paused ones WAITING; their scores are losses above 0.
        run_steps: Of a whole run.

    Source: Swersky et al. 2014, arXiv:1406.3896, with a simpler model of curves.
    """
    complete = [one for one in trials if one.value is not None]
    if not complete:
        return Start()
    ends = [math.log(one.value) for one in complete if one.value is not None]
    waiting = [(one, *_forecast(one, complete)) for one in trials if one.state == "WAITING"]
    finals = [*ends, *(mean for _, mean, _ in waiting)]
    spread = max(float(np.std(finals)), _LEAST) if len(finals) > 2 else _UNKNOWN
    options: list[tuple[float, Action]] = [
        (expected_gain(float(np.mean(finals)), spread, min(ends)), Start())
    ]
    for one, mean, deviation in waiting:
        left = 1 - max(one.scores) / run_steps
        gain = expected_gain(mean, deviation, min(ends)) / left
        options.append((gain, Resume(one.number, promoted=True)))
    return max(options, key=itemgetter(0))[1]


def expected_gain(mean: float, deviation: float, best: float) -> float:
    """Return by how much a normal variable is expected to be lower than the best value so far.

    Args:
        mean: Of the variable.
        deviation: Above 0.
        best: The lowest value so far.
    """
    z = (best - mean) / deviation
    return deviation * (z * NormalDist().cdf(z) + NormalDist().pdf(z))


def _forecast(one: TrialRecord, complete: Sequence[TrialRecord]) -> tuple[float, float]:
    """Return mean and deviation of the log of a paused trial's final loss."""
    rung = max(one.scores)
    moves = [
        math.log(other.value) - math.log(other.scores[rung])
        for other in complete
        if other.value is not None and rung in other.scores
    ]
    deviation = max(float(np.std(moves)), _LEAST) if len(moves) > 1 else _UNKNOWN
    return math.log(one.scores[rung]) + float(np.mean(moves)), deviation
