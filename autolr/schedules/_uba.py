"""The unified budget-aware profile."""

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Positive


@profile
def uba(k: Array, n: float, phi: Positive = 1.0) -> Array:
    """Fall along a cosine bent by one number.

        m(s) = 2 (1 + cos(pi s)) / (2 phi + (2 - phi) (1 + cos(pi s)))

    It is the normalised envelope of the Chebyshev steps for a condition number of phi / 2,
    and its mean is 1 / (1 + sqrt(phi / 2)).

    Settings:
        phi: 2 is the cosine; below 2 it stays high for longer, above 2 it falls early.

    Raises:
        ConfigError: If ``phi`` is not above 0.

    Source: Tang et al. 2025, "Stepsize anything", arXiv:2505.24452, single-phase form. Its
    equations were out of reach: the formula is that of published code, and was checked to be
    the Chebyshev envelope. The form with several phases is not here: no source of it was found.

    >>> round(uba(0.5).at(50, 100), 4)
    0.8
    """
    bell = 1 + np.cos(np.pi * k / n)
    return 2 * bell / (2 * phi + (2 - phi) * bell)
