"""Straight lines through given points."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Real, Several

_POINTS = Several((Real(0, 1), Real(0)), low=2, rising=True, words="pairs")


@profile
def piecewise(
    k: Array, n: float, points: Annotated[Sequence[tuple[float, float]], _POINTS]
) -> Array:
    """Follow straight lines between points.

        m(s) = linear interpolation; before the first point and after the last one, its value

    Settings:
        points: At least 2 pairs (progress in [0, 1], multiplier >= 0), progress rising.

    Raises:
        ConfigError: If there are fewer points, their progress does not rise, or a number is
            out of range.

    Source: optax's linear_onecycle_schedule is one of these.

    >>> piecewise([(0, 0.5), (0.5, 1), (1, 0)]).values(4).tolist()
    [0.5, 0.75, 1.0, 0.5]
    """
    progress, multipliers = np.array(points).T
    return np.asarray(np.interp(k / n, progress, multipliers), dtype=np.float64)
