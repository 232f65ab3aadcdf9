"""The reflected exponential."""

from typing import Annotated

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Real


@profile
def rex(k: Array, n: float, beta: Annotated[float, Real(0, 1, open="high")] = 0.5) -> Array:
    """Fall slowly at first and ever faster towards the end.

        m(s) = (1 - s) / (1 - beta + beta (1 - s))

    Its mean is 1 / beta + (1 - beta) ln(1 - beta) / beta^2.

    Settings:
        beta: 0 is linear, towards 1 it stays at the peak for longer. The paper has 0.5; the
            widespread copy with 0.9 is another curve.

    Raises:
        ConfigError: If ``beta`` is outside [0, 1).

    Source: Chen, Wolfe & Kyrillidis 2022, arXiv:2107.04197.

    >>> round(rex().at(50, 100), 4)
    0.6667
    """
    left = 1 - k / n
    return left / (1 - beta + beta * left)
