"""The operators that combine schedules, such as ``a | b``.

Each formula takes the schedules that it combines, the steps k (real, shape (m,)), the length n of
the run in steps, and its settings; it returns the multipliers, shape (m,).
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autolr.schedules.evaluate import ROUNDING, evaluate, lengths, snap, within
from autolr.schedules.registry import Entry, formula_settings, register
from autolr.settings import Array, NotNegative, Pace, Positive, Share

if TYPE_CHECKING:
    from autolr.schedules.schedule import Schedule


def _operator(
    name: str, least: int, most: float
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def register_operator(formula: Callable[..., Array]) -> Callable[..., Array]:
        parameters = formula_settings(formula, skip=3)  # after parts, k, n
        register(Entry(name, parameters, formula, (least, most)))
        return formula

    return register_operator


@_operator("chain", 2, math.inf)
def _chain(parts: Sequence["Schedule"], k: Array, n: float) -> Array:
    """Run parts one after the other, each relative to the last level of the one before."""
    multipliers, start, level = np.empty_like(k), 0.0, 1.0
    for part, length in zip(parts, lengths(parts, n), strict=True):
        here = k >= start  # later parts overwrite the rest; the last one holds its end
        own = np.clip(k[here] - start, 0.0, length)
        multipliers[here] = level * within(part, own, length)
        level *= float(within(part, np.array([length]), length)[0])
        start = snap(start + length)
    return multipliers


@_operator("product", 2, math.inf)
def _product(parts: Sequence["Schedule"], k: Array, n: float) -> Array:
    """Multiply schedules."""
    multipliers = np.ones_like(k)
    for part in parts:
        multipliers *= evaluate(part, k, n)
    return multipliers


@_operator("scale", 1, 1)
def _scale(parts: Sequence["Schedule"], k: Array, n: float, by: NotNegative) -> Array:
    """Multiply by a number."""
    return by * evaluate(parts[0], k, n)


@_operator("floor", 1, 1)
def _floor(parts: Sequence["Schedule"], k: Array, n: float, level: Share) -> Array:
    """Map [0, 1] to [level, 1]."""
    return level + (1 - level) * evaluate(parts[0], k, n)


@_operator("power", 1, 1)
def _power(parts: Sequence["Schedule"], k: Array, n: float, exponent: Positive) -> Array:
    """Raise to a power."""
    return np.power(evaluate(parts[0], k, n), exponent)


@_operator("every", 1, 1)
def _every(parts: Sequence["Schedule"], k: Array, n: float, pace: Pace) -> Array:
    """Sample at multiples of a pace, and hold in between."""
    steps = pace * n if pace < 1 else pace
    return evaluate(parts[0], np.floor(k / steps + ROUNDING) * steps, n)
