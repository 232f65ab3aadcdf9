"""Exponential decay."""

from typing import Annotated

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Real


@profile
def exponential(
    k: Array, n: float, final: Annotated[float, Real(0, 1, open="low")] = 0.01
) -> Array:
    """Fall by the same factor at each step.

        m(s) = final^s

    Settings:
        final: Multiplier at the end.

    Raises:
        ConfigError: If ``final`` is outside (0, 1].

    Source: torch's ExponentialLR with gamma = final^(1/T).

    >>> round(exponential().at(50, 100), 12)
    0.1
    """
    decayed: Array = final ** (k / n)
    return decayed
