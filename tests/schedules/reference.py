"""Slow and obvious twins of what `autolr.schedules` computes."""

import math
from collections.abc import Sequence


def bound_terms(
    multipliers: Sequence[float], norms: Sequence[float], distance: float
) -> tuple[float, float]:
    """The two terms of the convex bound, sum by sum as in the paper, in O(T^2)."""
    m, steps = multipliers, range(len(multipliers))

    def ahead(k: int) -> float:
        return math.fsum(m[t] for t in steps[k:])

    def noise(k: int) -> float:
        return math.fsum((m[t] * norms[t]) ** 2 for t in steps[k:])

    last = math.fsum(m[k] / ahead(k + 1) * noise(k) / ahead(k) for k in steps[:-1])
    return distance**2 / (2 * ahead(0)), noise(0) / (2 * ahead(0)) + last / 2


def power_scheduler(step: int, warmup: int, lr: float, a: float, b: float, c: float) -> float:
    """The multiplier of IBM/dolomite-engine's PowerScheduler, with its letters."""

    def power(x: float) -> float:
        return min(1.0, float(a / lr * x**b))

    return power(warmup * c) / warmup * step if step <= warmup else power(step * c)
