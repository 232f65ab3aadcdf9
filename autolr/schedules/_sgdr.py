"""Cosine decay with warm restarts."""

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Count, Positive, Share

_ROUNDING = 1e-9  # of the profile's length, so that no cycle begins a step late by rounding


@profile
def sgdr(
    k: Array, n: float, cycles: Count = 3, growth: Positive = 2.0, final: Share = 0.0
) -> Array:
    """Fall along half a cosine, jump back to the peak, and again.

        m = final + (1 - final) (1 + cos(pi p)) / 2        p: progress within the cycle

    The cycles fill the profile's length; cycle i takes growth^i of it, in proportion.

    Settings:
        cycles: How many, the first included; the restarts are one less.
        growth: Length of a cycle over that of the one before.
        final: Multiplier at the end of each cycle.

    Raises:
        ConfigError: If ``cycles`` is not a whole number of at least 1, ``growth`` is not above
            0, or ``final`` is outside [0, 1].

    Source: Loshchilov & Hutter 2017, eq. 5, arXiv:1608.03983.

    >>> sgdr(cycles=2, growth=1).values(6).round(12).tolist()
    [1.0, 0.75, 0.25, 1.0, 0.75, 0.25]
    """
    ends = np.cumsum(np.power(growth, np.arange(cycles, dtype=np.float64)))
    ends = ends / ends[-1]
    starts = np.concatenate([[0.0], ends[:-1]])
    cycle = np.searchsorted(starts, k / n + _ROUNDING, side="right") - 1
    p: Array = np.clip((k / n - starts[cycle]) / (ends - starts)[cycle], 0, 1)
    return final + (1 - final) * (1 + np.cos(np.pi * p)) / 2
