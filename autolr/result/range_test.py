"""The result of a range test: its curve, and the rate that it suggests."""

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from autolr.counted import counted
from autolr.online.sweep import Sweep, smoothed, suggested
from autolr.settings import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class RangeTestResult:
    """Training losses at rates that grew from step to step.

    Attributes:
        sweep: The test: its rates and losses.

    >>> losses = (2.0,) * 6 + (1.8, 1.5, 1.1, 0.9, 0.8, 0.9, 5.0, 60.0)
    >>> test = RangeTestResult(Sweep(1e-5, 10.0, steps=14, losses=losses))
    >>> print(test)
    suggested rate 0.119: the smoothed loss was lowest at 1.19 (14 steps, from 1e-05 to 10)
    """

    sweep: Sweep = field(repr=False)

    @property
    def rates(self) -> Array:
        """The rate of each step, of the group with the highest one; shape (steps made,)."""
        return self.sweep.rates

    @property
    def losses(self) -> tuple[float, ...]:
        """The training loss of each step, on its batch, before the weights changed."""
        return self.sweep.losses

    @property
    def smoothed(self) -> Array:
        """The exponential average of the losses with the share 0.9; shape (steps made,)."""
        return smoothed(self.losses)

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate at which the smoothed loss is lowest.

        The first tenth of the steps is left out. None if no loss after it was finite, or the fit
        has ended before the test: its lowest loss so far says nothing of higher rates.

        Source: ``minimum``, one of the readings of fastai's ``lr_find``; Howard & Gugger 2020,
        arXiv:2002.04688.
        """
        if not self.is_over:
            return None
        return suggested(self.rates, self.losses, self.sweep.steps)

    @property
    def is_over(self) -> bool:
        """Whether all rates were tested, or all up to those at which the loss diverged."""
        return self.sweep.rate is None

    def svg(self) -> str:
        """Return the curve as an SVG file."""
        from autolr.result.range_chart import range_chart  # here: it imports this module

        return range_chart(self).file()

    def plot(self) -> "Figure":
        """Return the curve as a figure of matplotlib.

        Raises:
            ConfigError: If matplotlib is not installed.
        """
        from autolr.result.range_chart import range_figure  # here: matplotlib is an extra

        return range_figure(self)

    def __str__(self) -> str:
        """Return one line: the suggestion, and where it comes from."""
        made, rate = len(self.losses), self.suggestion
        span = f"{counted(made, 'step')}, from {self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        if not self.is_over:
            left = f"{made} of {self.sweep.steps} steps were made, up to {self.rates[-1]:.3g}"
            return f"no rate is suggested: {left}; a longer fit, or fewer steps, ends the test"
        if rate is None:
            return f"no rate is suggested: no loss was finite after the first rates ({span})"
        return (
            f"suggested rate {rate:.3g}: the smoothed loss was lowest at {10 * rate:.3g} ({span})"
        )

    def _repr_html_(self) -> str:
        """Return the curve for a notebook."""
        return f"<p>{escape(str(self))}</p>{self.svg()}"
