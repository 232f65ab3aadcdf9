"""Cyclical learning rates."""

from typing import Annotated, Literal

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Pace, Real, Share

_ROUNDING = 1e-9  # of a cycle, so that none begins a step late by rounding


@profile
def clr(
    k: Array,
    n: float,
    half: Pace = 0.1,
    base: Share = 0.1,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: Annotated[float, Real(0, 1, open="low")] = 0.999,
) -> Array:
    """Rise and fall along triangles.

        c = floor(1 + k / (2 half))                        the cycle, from 1
        x = |k / half - 2 c + 1|
        m(k) = base + (1 - base) (1 - x) a                 a = 1, 2^-(c - 1) or gamma^k

    Settings:
        half: Half a cycle: below 1 a share of the profile's length, from 1 on in steps.
        base: Multiplier at the foot of the triangles.
        mode: "triangular" keeps the height, "triangular2" halves it at each cycle,
            "exp_range" shrinks it by ``gamma`` at each step.
        gamma: Used by "exp_range" alone.

    Raises:
        ConfigError: If ``half`` is not above 0, ``base`` is outside [0, 1], ``gamma`` is
            outside (0, 1], or ``mode`` is unknown.

    Source: Smith 2017, arXiv:1506.01186; modes as in torch's CyclicLR.

    >>> clr(half=2, base=0.2).values(6).round(12).tolist()
    [0.2, 0.6, 1.0, 0.6, 0.2, 0.6]
    """
    half = half * n if half < 1 else half
    cycle = np.floor(1 + k / (2 * half) + _ROUNDING)
    height: Array = np.clip(1 - np.abs(k / half - 2 * cycle + 1), 0, 1)
    if mode == "triangular2":
        height = height * np.power(0.5, cycle - 1)
    elif mode == "exp_range":
        height = height * np.power(gamma, k)
    return base + (1 - base) * height
