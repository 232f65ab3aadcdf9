"""Forecasts of the score that a run ends with, by its scores so far."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolr.online.forecast import forecast_loss

Floats = NDArray[np.float64]

_RECENCY = 4.0  # the weight of a point is this power of its rank, as in `forecast_loss`
_FEWEST = 4  # points; a curve of fewer is forecast to stay where it is


@dataclass(frozen=True, eq=False)
class Curve:
    """What is known of a run at some time.

    Attributes:
        steps: After which it was scored; the first is 0, of the untrained model.
        scores: The scores.
        multipliers: The rates of the whole run, in units of its peak, by step.
    """

    steps: Sequence[int]
    scores: Sequence[float]
    multipliers: Floats


def of_steps(curve: Curve) -> float:
    """Return autolr's own forecast, in steps."""
    return forecast_loss(curve.steps, curve.scores, len(curve.multipliers)).loss


def of_rates(curve: Curve) -> float:
    """Return autolr's own forecast with the sum of the rates in place of steps."""
    time = np.append(0.0, np.cumsum(curve.multipliers))
    return forecast_loss(time[list(curve.steps)], curve.scores, float(time[-1])).loss


def of_bound(curve: Curve) -> float:
    """Return the forecast of a law that knows the schedule's end.

    It is the bound on the last iterate of a convex problem with gradients of one size (Schaipp et
    al. 2025, arXiv:2501.18965, theorem 1): ``d + a / (2 sum m) + b (B + C)`` of the multipliers m
    so far, of which the second term says what a falling rate gains. d, a >= 0 and b >= 0 by least
    squares, the last points weighing most. Where that falls below 0, it is `of_rates`.
    """
    if len(curve.steps) < _FEWEST + 1:
        return curve.scores[-1]
    steps = [step for step in curve.steps if step]
    terms = np.array([_terms(curve.multipliers[:step]) for step in steps])
    weights = np.arange(1.0, len(steps) + 1) ** _RECENCY
    d, *slopes = _fit(terms, np.array(curve.scores[-len(steps) :]), weights)
    end = d + float(_terms(curve.multipliers) @ slopes)
    return end if end > 0 else of_rates(curve)


LAWS: Mapping[str, Callable[[Curve], float]] = {
    "steps": of_steps,
    "rates": of_rates,
    "bound": of_bound,
}


def expected(law: str, curve: Curve) -> float:
    """Return a forecast; infinite for a run that was lost."""
    return LAWS[law](curve) if all(map(math.isfinite, curve.scores)) else math.inf


def _terms(multipliers: Floats) -> Floats:
    """Return 1 / (2 sum m), and B + C, after steps with these multipliers."""
    m = multipliers[multipliers > 0]
    ahead, squares = np.cumsum(m[::-1])[::-1], np.cumsum(m[::-1] ** 2)[::-1]
    c = 0.5 * (m[:-1] / ahead[1:] * squares[:-1] / ahead[:-1]).sum()
    return np.array([0.5 / ahead[0], 0.5 * squares[0] / ahead[0] + c])


def _fit(terms: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return d and the two slopes, neither below 0, with which ``d + terms @ slopes`` is best."""
    best, least = np.array([np.average(scores, weights=weights), 0.0, 0.0]), math.inf
    for chosen in ([], [0], [1], [0, 1]):
        columns = np.column_stack([np.ones(len(scores)), terms[:, chosen]])
        root = np.sqrt(weights)
        solution, *_ = np.linalg.lstsq(columns * root[:, None], scores * root, rcond=None)
        error = float(weights @ (columns @ solution - scores) ** 2)
        if (solution[1:] >= 0).all() and error < least:
            best, least = np.zeros(3), error
            best[[0, *(k + 1 for k in chosen)]] = solution
    return best
