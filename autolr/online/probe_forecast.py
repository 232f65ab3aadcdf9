"""The loss that a probe of AutoLRS is forecast to end with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_DECAY_TIMES = np.geomspace(0.1, 10.0, 256)  # tried in a fit, as multiples of the probe's length
_FEWEST = 3  # losses; the model has three parameters


@dataclass(frozen=True, slots=True)
class ProbeForecast:
    """The outcome of a probe.

    Attributes:
        rate: Its constant rate.
        forecast: The loss forecast for the end of its stage; infinite when it diverged. Of a probe
            beside a run what it is above that of the run itself.
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
    absurd forecast wins the stage. Here no loss is forecast to change further after the probe than
    the fitted curve changed within it, which a decay time of up to 1.4 probe lengths does not
    reach. Where no loss of the probe is negative, none is forecast: the loss falls by no larger
    *factor* after the probe than within it, which leaves forecasts of fast probes apart.

    Args:
        losses: Of successive steps.
        ahead: How many steps after the last one.

    Returns:
        The forecast; infinite if a loss is not finite, or there is none; the last loss of fewer
        than three.

    Source: Jin et al. 2021, arXiv:2105.10762, the model of the loss. The bounds are ours.
    """
    if not losses or not all(map(math.isfinite, losses)):
        return math.inf
    values = np.asarray(losses, dtype=np.float64)
    size = float(np.abs(values).max())
    if len(losses) < _FEWEST or size == 0:
        return float(losses[-1])
    return size * _forecast(values / size, ahead)  # of numbers whose squares are finite


def _forecast(values: NDArray[np.float64], ahead: int) -> float:
    """Return the forecast of losses within [-1, 1]."""
    last = len(values) - 1
    decays = np.exp(-np.arange(last + 1) / (len(values) * _DECAY_TIMES[:, None]))  # (times, count)
    centred = decays - decays.mean(axis=1, keepdims=True)
    slopes = centred @ values / (centred**2).sum(axis=1)
    fits = values.mean() + slopes[:, None] * centred
    best = int(((fits - values) ** 2).sum(axis=1).argmin())
    decay_time, a = float(len(values) * _DECAY_TIMES[best]), float(slopes[best])
    c = float(values.mean() - a * decays[best].mean())
    ends = np.clip([a + c, a * math.exp(-last / decay_time) + c], values.min(), values.max())
    start, end = map(float, ends)
    change = abs(start - end)
    by_factor = values.min() >= 0 and start > 0
    lowest = end * min(1.0, end / start) if by_factor else end - change
    forecast = a * math.exp(-(last + ahead) / decay_time) + c
    return min(end + change, max(lowest, forecast))
