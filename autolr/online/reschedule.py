"""The rest of a run: at another rate, under another profile, and all of it in a few steps."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.candidate import Candidate


def scaled(candidate: "Candidate", step: int, factor: float, *, refines: bool) -> "Candidate":
    """Return the candidate whose rate is ``factor`` times as high from a step on.

    Args:
        candidate: With a peak.
        step: In steps of the run, above 1.
        factor: Above 0.
        refines: Whether the peak becomes ``factor`` times as high and the multipliers before
            ``step`` so much lower; otherwise the multipliers from ``step`` on change. A peak that
            rises always does, so that no multiplier exceeds that of the peak.

    >>> from autolr.candidate import Candidate
    >>> scaled(Candidate(peak=0.1, schedule=schedules.constant()), 10, 0.5, refines=False).schedule
    constant() * (constant().over(10.0) | constant() * 0.5)
    """
    assert candidate.peak is not None
    if refines or factor > 1:
        before = (schedules.constant() * (1 / factor)).over(step)
        schedule = candidate.schedule * (before | schedules.constant() * factor)
        return replace(candidate, peak=candidate.peak * factor, schedule=schedule)
    schedule = candidate.schedule * (
        schedules.constant().over(step) | schedules.constant() * factor
    )
    return replace(candidate, schedule=schedule)


def followed(candidate: "Candidate", step: int, profile: Schedule) -> "Candidate":
    """Return the candidate that follows another profile from a step on.

    Args:
        candidate: It follows `default_schedule`, perhaps `scaled`.
        step: In steps of the run, behind the warm-up.
        profile: Stretched over the rest of the run; its multipliers are of the level there.

    >>> from autolr.candidate import Candidate
    >>> run = Candidate(peak=0.1, schedule=schedules.warmup(8) | schedules.constant())
    >>> followed(run, 20, schedules.cosine()).schedule
    warmup(8.0) | constant().over(12.0) | cosine()
    >>> followed(run, 20, schedules.constant()).schedule
    warmup(8.0) | constant()
    """
    product = candidate.schedule.kind == "product"
    base, *scales = candidate.schedule.parts if product else (candidate.schedule,)
    rise = base.parts[0]
    assert rise.span is not None
    plateau = schedules.constant()
    if profile != plateau:
        rest = profile * 1.0 if profile.kind == "chain" else profile  # chains would merge
        plateau = plateau.over(step - rise.span) | rest
    return replace(candidate, schedule=math.prod(scales, start=rise | plateau))


def shrunk(schedule: Schedule, step: int, total_steps: int, steps: int) -> list[float]:
    """Return the multipliers of all that a schedule has from ``step`` on, in few ``steps``.

    Args:
        schedule: The schedule of the run.
        step: In steps of the run.
        total_steps: Optimizer steps of the run.
        steps: How many multipliers to return.

    >>> shrunk(schedules.linear(), 10, 20, steps=2)
    [0.5, 0.25]
    """
    left = total_steps - step
    return [schedule.at(step + left * k / steps, total_steps) for k in range(steps)]
