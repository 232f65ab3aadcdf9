"""Decay with a power of the steps made."""

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Pace, Positive


@profile
def power_law(k: Array, n: float, tau: Pace = 0.05, exponent: Positive = 0.5) -> Array:
    """Stay at the peak, then fall with a power of the steps made (the power scheduler).

        m(k) = min(1, (k / tau)^-exponent)

    It does not depend on the run's length: the run may end, with a cooldown, when it has to. A
    factor rather than a part of a chain, as it counts from the first step:
    ``(warmup(100) | constant()) * power_law(1000) | cooldown(0.1)``.

    In the paper's letters the rate is min(lr, beta a T^b) after T tokens, with the batch size
    beta and b below 0: exponent = -b, and tau is the step at which the two are equal.

    Settings:
        tau: Steps until the fall; below 1 it is a share of the profile's length, and then the
            length does matter.
        exponent: How fast it falls; 0.5 is how the best peak falls with the length in `bound`.

    Raises:
        ConfigError: If ``tau`` or ``exponent`` is not above 0.

    Source: Shen et al. 2024, arXiv:2408.13359, and its authors' code, IBM/dolomite-engine.

    >>> power_law(10).values(50)[[0, 10, 40]].tolist()
    [1.0, 1.0, 0.5]
    """
    steps = tau * n if tau < 1 else tau
    return np.maximum(1, k / steps) ** -exponent
