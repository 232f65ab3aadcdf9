"""Step decay."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Real, Several, Share

_ROUNDING = 1e-12  # of a progress, so that a milestone is not missed by its last bit

Milestones = Annotated[Sequence[float], Several((Real(0, 1),), rising=True)]


@profile
def step(k: Array, n: float, milestones: Milestones = (0.3, 0.6, 0.9), gamma: Share = 0.1) -> Array:
    """Fall by a factor at each milestone (30-60-90).

        m(s) = gamma^(number of milestones <= s)

    Settings:
        milestones: Progress in [0, 1] at which it falls, rising.
        gamma: Factor at each.

    Raises:
        ConfigError: If ``milestones`` are empty, not rising or outside [0, 1], or ``gamma`` is
            outside [0, 1].

    Source: torch's MultiStepLR; the 30-60-90 baseline of Chen, Wolfe & Kyrillidis 2022 (REX),
    arXiv:2107.04197.

    >>> step().values(5).round(3).tolist()
    [1.0, 1.0, 0.1, 0.01, 0.01]
    """
    passed = np.searchsorted(np.array(milestones), k / n + _ROUNDING, side="right")
    return np.power(gamma, passed.astype(np.float64))
