"""Continuing a finished run to a longer one without tuning its peak again."""

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from autolr.errors import ConfigError
from autolr.schedules._constant import constant
from autolr.schedules.convex_bound import bound, check_length
from autolr.schedules.evaluate import lengths
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import OneOf, read_setting

_GRID = 64  # values tried before the nearest crossing is refined
_HALVINGS = 40  # more do not change a float
_LOWEST = 0.02  # factor of the rate; below it the run would stand still


@dataclass(frozen=True, slots=True)
class Extension:
    """How a finished run continues.

    Attributes:
        schedule: Of the longer run, for the same peak.
        resume_step: Up to this step it is the schedule of the finished run: resume from a
            checkpoint at or before it.
    """

    schedule: Schedule
    resume_step: int


def extend(
    schedule: Schedule, steps: int, to_steps: int, *, by: Literal["cooldown", "rate"] = "cooldown"
) -> Extension:
    """Return the schedule that continues a finished run to a longer one at the peak it has.

    The longer run wants a lower peak. A longer cooldown, or a lower rate from the step on at which
    the finished run began its cooldown, makes up for it: the best peak of `bound` is the one of
    the finished run.

    Args:
        schedule: Of the finished run: a chain whose last two parts are ``constant()`` and a
            `cooldown` with a span, as `wsd` makes it.
        steps: Length of the finished run, in optimizer steps.
        to_steps: Length of the longer run.
        by: "cooldown": a longer one, which may begin before that of the finished run. "rate": a
            lower one, with a cooldown over the same share of the run as before.

    Raises:
        ConfigError: If ``schedule`` is another one or does not fit in ``steps``, ``to_steps`` is
            not above ``steps``, or no cooldown or rate is enough.

    Source: Schaipp et al. 2025, arXiv:2501.18965, which extends runs in both ways.

    >>> from autolr.schedules import wsd
    >>> longer = extend(wsd(0, 0.2, "linear"), 4000, 8000)
    >>> round(longer.schedule.parts[-1].span, 2), longer.resume_step
    (0.63, 2939)
    """
    read_setting("by", OneOf(("cooldown", "rate")), by)
    check_schedule("schedule", schedule)
    for name, value in (("steps", steps), ("to_steps", to_steps)):
        check_length(name, value)
    tuned = bound(schedule, steps).best_peak
    if to_steps <= steps:
        raise ConfigError.of("to_steps", to_steps, f"above {steps}, the length of the finished run")
    _check(schedule)
    *front, stable, fall = lengths(schedule.parts, steps)
    begun, share, cooldown = sum(front) + stable, fall / steps, schedule.parts[-1]
    kept = [
        part.over(length / to_steps) for part, length in zip(schedule.parts, front, strict=False)
    ]

    def cooled(longer: float) -> Schedule:
        return _chain([*kept, constant(), cooldown.over(longer)])

    def slowed(factor: float) -> Schedule:
        same = constant().over(stable / to_steps)
        return _chain([*kept, same, constant() * factor, cooldown.over(share)])

    def gap(made: Schedule) -> float:
        return bound(made, to_steps).best_peak - tuned

    if by == "rate":
        factor = _crossing(lambda value: gap(slowed(value)), 1.0, _LOWEST, "rate")
        return Extension(slowed(factor), math.ceil(begun))
    longer = _crossing(lambda value: gap(cooled(value)), share, 1 - sum(front) / to_steps, by)
    return Extension(cooled(longer), math.ceil(min(begun, (1 - longer) * to_steps)))


def _check(schedule: Schedule) -> None:
    shape = [(part.kind, part.span is None) for part in schedule.parts[-2:]]
    if schedule.kind != "chain" or schedule.span is not None:
        shape = []
    if shape != [("constant", True), ("cooldown", False)]:
        raise ConfigError.of(
            "schedule", str(schedule), "one that ends in constant() | cooldown(...), as wsd() does"
        )


def _chain(parts: list[Schedule]) -> Schedule:
    return functools.reduce(operator.or_, parts)


def _crossing(gap: Callable[[float], float], start: float, end: float, by: str) -> float:
    """Return the value nearest to ``start`` at which a gap, negative there, is closed.

    Raises:
        ConfigError: If it is not closed up to ``end``.
    """
    low = start
    for i in range(1, _GRID + 1):
        high = start + (end - start) * i / _GRID
        if gap(high) >= 0:
            break
        low = high
    else:
        other = "transfer the peak instead, or extend by 'rate'"
        other = other if by == "cooldown" else "transfer the peak instead"
        raise ConfigError(f"to_steps must be less: no other {by} is enough at this peak; {other}")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if gap(middle) >= 0 else (middle, high)
    return (low + high) / 2
