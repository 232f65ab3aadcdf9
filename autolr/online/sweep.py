"""A range test: a copy of a run is trained at a rate that grows from step to step."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autolr.settings import Array, Integer, Positive, Real, check_of, read_setting

_SMOOTHING = 0.9  # share of the average that stays; 0.98, as others have, moves the curve right
_WORSE = 3.0  # times the size of the lowest smoothed loss: how far above it the test ends
_FIRST = 0.1  # of the steps: their average is of a few batches, and may be the lowest by chance
_SAFE = 10.0  # what the rate of the lowest loss is divided by


@dataclass(frozen=True, slots=True)
class Sweep:
    """Rates that grow geometrically, and the losses at them so far.

    It takes losses and answers with the next rate. It is over after the last rate, at a loss that
    is not finite, and where the smoothed loss is 4 times its lowest value.

    Args:
        lowest: Rate of the first step.
        highest: Rate of the last step, if it is ever made.
        steps: How many rates there are.

    Attributes:
        losses: The training loss of each step so far, before the weights changed.

    Raises:
        ConfigError: If a rate is not above 0, ``highest`` is not above ``lowest``, or there are
            less than 10 steps.

    Source: Smith 2017, arXiv:1506.01186, section 3.3, there with rates that grow linearly.

    >>> sweep = Sweep(0.001, 1.0, steps=10)
    >>> for loss in (2.0, 1.5, 1.2, 9.0, 30.0):
    ...     sweep = sweep.observe(loss)
    >>> sweep.rate is None, sweep.rates.round(4).tolist()
    (True, [0.001, 0.0022, 0.0046, 0.01, 0.0215])
    """

    lowest: float
    highest: float
    steps: int
    losses: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        read_setting("steps", Integer(10), self.steps)
        read_setting("lowest", check_of(Positive), self.lowest)
        read_setting("highest", Real(float(self.lowest), open="low"), self.highest)

    @property
    def rate(self) -> float | None:
        """The rate of the next step; None: it is over."""
        made = len(self.losses)
        if made == self.steps or (made and self._diverged()):
            return None
        return float(self.lowest * (self.highest / self.lowest) ** (made / (self.steps - 1)))

    @property
    def rates(self) -> Array:
        """The rate of each loss, shape (losses,)."""
        shares = np.arange(len(self.losses)) / (self.steps - 1)
        rates: Array = self.lowest * (self.highest / self.lowest) ** shares
        return rates

    def observe(self, loss: float) -> Self:
        """Return it with the loss at the present rate."""
        return replace(self, losses=(*self.losses, loss))

    def _diverged(self) -> bool:
        if not math.isfinite(self.losses[-1]):
            return True
        smooth = smoothed(self.losses)
        lowest = float(smooth.min())
        return float(smooth[-1]) - lowest > _WORSE * abs(lowest)


def smoothed(losses: tuple[float, ...]) -> Array:
    """Return the exponential average of losses with Adam's bias correction, shape (losses,).

    >>> smoothed((1.0, 1.0, 2.0)).round(3).tolist()
    [1.0, 1.0, 1.369]
    """
    average, averages = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        averages.append(average / (1 - _SMOOTHING**step))
    return np.array(averages)


def suggested(rates: Array, losses: tuple[float, ...], steps: int) -> float | None:
    """Return a tenth of the rate at which the smoothed loss is lowest; None: there is no such.

    The first tenth of the steps is left out, and so is a loss that is not finite.

    Args:
        rates: Of each loss, shape (losses,).
        losses: As `Sweep.losses`.
        steps: Steps of the whole test.

    Source: ``minimum``, one of the readings of fastai's ``lr_find`` (Howard & Gugger 2020,
    arXiv:2002.04688). ``python -m examples.papers.range_test`` compares it with others.
    """
    first = math.ceil(_FIRST * steps)
    smooth = smoothed(losses)[first:]
    if not np.isfinite(smooth).any():
        return None
    return float(rates[first + int(np.nanargmin(smooth))]) / _SAFE
