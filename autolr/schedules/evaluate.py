"""The multipliers of a schedule at given steps, and the operators that combine schedules."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.registry import Entry, find, parameters_of, register
from autolr.settings import Array, NotNegative, Pace, Positive, Share, Value

if TYPE_CHECKING:
    from autolr.schedules.schedule import Schedule

_ROUNDING = 1e-9  # relative; 0.07 * 100 steps are 7, not 7.000000000000001


def evaluate(schedule: "Schedule", k: Array, n: float) -> Array:
    """Return the multipliers at the steps ``k`` (real, any order) of a run of ``n`` steps.

    A schedule with a span shorter than the run holds its last value from there on.

    Raises:
        ConfigError: If spans in steps do not fit in ``n``.
    """
    (length,) = lengths((schedule,), n)
    return _within(schedule, np.clip(k, 0.0, length), length)


def lengths(parts: Sequence["Schedule"], n: float) -> list[float]:
    """Return how many of ``n`` steps each part takes; parts without a span share the rest equally.

    Raises:
        ConfigError: If the spans take more than ``n``.
    """
    spans = [part.span for part in parts]
    fixed = [None if x is None else _snap(x * n if x <= 1 else x) for x in spans]
    used = math.fsum(x for x in fixed if x is not None)
    if used > n * (1 + _ROUNDING):
        raise ConfigError.of("the number of steps", n, f"at least {used:g}, which the spans take")
    rest = _snap(max(n - used, 0.0) / max(1, fixed.count(None)))
    return [rest if x is None else x for x in fixed]


def check_shares(parts: Sequence["Schedule"]) -> None:
    """Check that the shares of parts fit in a run.

    Raises:
        ConfigError: If they sum to more than 1.
    """
    total = math.fsum(x for part in parts if (x := part.span) is not None and x <= 1)
    if total > 1 + _ROUNDING:
        raise ConfigError.of("the sum of the shares in a chain", total, "at most 1")


def try_formula(entry: Entry, settings: Mapping[str, Value]) -> None:
    """Check that settings, each in its range, work together.

    Args:
        entry: The kind.
        settings: In their stored form.

    Raises:
        ConfigError: If the formula raises it, or gives a multiplier that no rate can have.
    """
    assert entry.formula is not None
    with np.errstate(all="ignore"):
        multipliers = entry.formula(np.linspace(0.0, 1.0, 5), 1.0, **settings)
    if not (np.isfinite(multipliers) & (multipliers >= 0)).all():
        raise ConfigError.of(f"settings of {entry.kind}", settings, "less extreme")


def _within(schedule: "Schedule", k: Array, length: float) -> Array:
    """Return the multipliers at the steps ``k`` of a schedule that takes ``length`` steps."""
    if length == 0:
        return np.ones_like(k)  # a span of 0 takes the schedule out
    entry, settings = find(schedule.kind), dict(schedule.settings)
    assert entry.formula is not None
    if schedule.parts:
        return entry.formula(schedule.parts, k, length, **settings)
    if "span" in entry.parameters:
        settings["span"] = schedule.span
    return entry.formula(k, length, **settings)


def _operator(least: int, most: float) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def register_operator(formula: Callable[..., Array]) -> Callable[..., Array]:
        parameters = parameters_of(formula, skip=3)  # after parts, k, n
        register(Entry(formula.__name__, parameters, formula, (least, most)))
        return formula

    return register_operator


@_operator(2, math.inf)
def chain(parts: Sequence["Schedule"], k: Array, n: float) -> Array:
    """Run parts one after the other, each relative to the last level of the one before."""
    multipliers, start, level = np.empty_like(k), 0.0, 1.0
    for part, length in zip(parts, lengths(parts, n), strict=True):
        here = k >= start  # later parts overwrite the rest; the last one holds its end
        own = np.clip(k[here] - start, 0.0, length)
        multipliers[here] = level * _within(part, own, length)
        level *= float(_within(part, np.array([length]), length)[0])
        start = _snap(start + length)
    return multipliers


@_operator(2, math.inf)
def product(parts: Sequence["Schedule"], k: Array, n: float) -> Array:
    """Multiply schedules."""
    multipliers = np.ones_like(k)
    for part in parts:
        multipliers *= evaluate(part, k, n)
    return multipliers


@_operator(1, 1)
def scale(parts: Sequence["Schedule"], k: Array, n: float, by: NotNegative) -> Array:
    """Multiply by a number."""
    return by * evaluate(parts[0], k, n)


@_operator(1, 1)
def floor(parts: Sequence["Schedule"], k: Array, n: float, level: Share) -> Array:
    """Map [0, 1] to [level, 1]."""
    return level + (1 - level) * evaluate(parts[0], k, n)


@_operator(1, 1)
def power(parts: Sequence["Schedule"], k: Array, n: float, exponent: Positive) -> Array:
    """Raise to a power."""
    return np.power(evaluate(parts[0], k, n), exponent)


@_operator(1, 1)
def every(parts: Sequence["Schedule"], k: Array, n: float, pace: Pace) -> Array:
    """Sample at multiples of a pace, and hold in between."""
    steps = pace * n if pace < 1 else pace
    return evaluate(parts[0], np.floor(k / steps + _ROUNDING) * steps, n)


def _snap(steps: float) -> float:
    """Return the whole number within rounding of ``steps``, else ``steps``."""
    nearest = round(steps)
    return float(nearest) if abs(steps - nearest) <= _ROUNDING * max(1, nearest) else steps
