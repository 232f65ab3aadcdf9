"""The loss that a probe of AutoLRS is forecast to end with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

_DECAY_TIMES = np.geomspace(0.1, 10.0, 256)  # tried in a fit, as multiples of the probe's length


@dataclass(frozen=True, slots=True)
class ProbeForecast:
    """The outcome of a probe.

    Attributes:
        rate: Its constant rate.
        forecast: The loss forecast for the end of its stage; infinite when it diverged.
    """

    rate: float
    forecast: float

    def to_list(self) -> list[Any]:
        """Return plain JSON values, which know no infinity; `from_list` takes them back."""
        return [self.rate, repr(self.forecast)]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Self:
        """Return the forecast that `to_list` described."""
        return cls(values[0], float(values[1]))


def best_of(trials: Sequence[ProbeForecast]) -> ProbeForecast:
    """Return the probe that is chosen: the lowest forecast, of equals the lowest rate."""
    return min(trials, key=lambda trial: (trial.forecast, trial.rate))


def forecast(losses: Sequence[float], ahead: int) -> float:
    """Return the loss that a probe would come to ``ahead`` steps after its last one.

        loss(t) = a exp(-t / d) + c, least squares; d from a grid of 0.1 to 10 probe lengths

    The fit has no starting point and cannot fail. It is *bounded*: from a short noisy probe the
    published fit extrapolates ten times its length, a loss below zero now and then, and the most
    absurd forecast wins the stage. Here no loss is forecast to fall further after the probe than
    the fitted curve fell within it, which a decay time of up to 1.4 probe lengths does not reach.

    Args:
        losses: Of successive steps.
        ahead: How many steps after the last one.

    Returns:
        The forecast; infinite if a loss is not finite, or there is none; the last loss of fewer
        than three.

    Source: Jin et al. 2021, arXiv:2105.10762, the exponential model of the loss. The bound is ours.
    """
    if not losses or not all(map(math.isfinite, losses)):
        return math.inf
    count = len(losses)
    if count < 3:
        return float(losses[-1])
    t, values = np.arange(count), np.asarray(losses, dtype=np.float64)
    decays = np.exp(-t / (count * _DECAY_TIMES[:, None]))  # (times, count)
    centred = decays - decays.mean(axis=1, keepdims=True)
    slopes = centred @ values / (centred**2).sum(axis=1)
    fits = values.mean() + slopes[:, None] * centred
    best = int(((fits - values) ** 2).sum(axis=1).argmin())
    decay_time, a = float(count * _DECAY_TIMES[best]), float(slopes[best])
    c = float(values.mean() - a * decays[best].mean())
    start, end = a + c, a * math.exp(-(count - 1) / decay_time) + c
    lowest = end - max(0.0, start - end)
    return max(lowest, a * math.exp(-(count - 1 + ahead) / decay_time) + c)
