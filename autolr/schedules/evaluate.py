"""The multipliers of a schedule at given steps."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.registry import Entry, find
from autolr.settings import Array, Value

if TYPE_CHECKING:
    from autolr.schedules.schedule import Schedule

ROUNDING = 1e-9  # relative; 0.07 * 100 steps are 7, not 7.000000000000001


def evaluate(schedule: "Schedule", k: Array, n: float) -> Array:
    """Return the multipliers of a schedule, shape (m,).

    A schedule with a span shorter than the run holds its last value after it.

    Args:
        schedule: The schedule.
        k: Steps, real, in any order, shape (m,).
        n: Length of the run in steps.

    Raises:
        ConfigError: If spans in steps do not fit in ``n``.
    """
    (length,) = lengths((schedule,), n)
    return within(schedule, np.clip(k, 0.0, length), length)


def lengths(parts: Sequence["Schedule"], n: float) -> list[float]:
    """Return how many of ``n`` steps each part takes; parts without a span share the rest equally.

    Args:
        parts: Of a chain, or a single schedule.
        n: Steps of the run, or of the chain's span.

    Raises:
        ConfigError: If the spans take more than ``n``.
    """
    spans = [part.span for part in parts]
    fixed = [None if x is None else snap(x * n if x <= 1 else x) for x in spans]
    used = math.fsum(x for x in fixed if x is not None)
    if used > n * (1 + ROUNDING):
        raise ConfigError.of("the number of steps", n, f"at least {used:g}, which the spans take")
    rest = snap(max(n - used, 0.0) / max(1, fixed.count(None)))
    return [rest if x is None else x for x in fixed]


def check_shares(parts: Sequence["Schedule"]) -> None:
    """Check that the shares of parts fit in a run.

    Raises:
        ConfigError: If they sum to more than 1.
    """
    total = math.fsum(x for part in parts if (x := part.span) is not None and x <= 1)
    if total > 1 + ROUNDING:
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


def within(schedule: "Schedule", k: Array, length: float) -> Array:
    """Return the multipliers of a schedule that takes ``length`` steps, shape (m,).

    Args:
        schedule: The schedule.
        k: Steps in [0, length], shape (m,).
        length: In steps; 0 gives multipliers of 1.
    """
    if length == 0:
        return np.ones_like(k)  # a span of 0 takes the schedule out
    entry, settings = find(schedule.kind), dict(schedule.settings)
    assert entry.formula is not None
    if schedule.parts:
        return entry.formula(schedule.parts, k, length, **settings)
    if "span" in entry.parameters:
        settings["span"] = schedule.span
    return entry.formula(k, length, **settings)


def snap(steps: float) -> float:
    """Return the whole number within rounding of ``steps``, else ``steps``."""
    nearest = round(steps)
    return float(nearest) if abs(steps - nearest) <= ROUNDING * max(1, nearest) else steps
