"""One cycle: up, down, and far down."""

from typing import Literal

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.catalogue import profile
from autolr.settings import Array, Share


@profile
def onecycle(
    k: Array,
    n: float,
    rise: Share = 0.3,
    start: Share = 0.04,
    final: Share = 4e-6,
    shape: Literal["cosine", "linear"] = "cosine",
    three_phase: bool = False,
) -> Array:
    """Rise from ``start`` to the peak, then fall to ``final``.

        a = rise n - 1, b = n - 1                          the peak is at a, the end at b
        m(k) = anneal(start, 1, k / a)                     k <= a
        m(k) = anneal(1, final, (k - a) / (b - a))         k > a
        anneal(x, y, p) = y + (x - y) (1 + cos(pi p)) / 2  or x + (y - x) p

    In three phases it falls to ``start`` as fast as it rose, and from there to ``final``. As
    in torch, the last of n steps has ``final`` itself. `Momentum` cycles the momentum with it.

    Settings:
        rise: Share of the steps that rise.
        start: Multiplier of the first step; torch's 1 / div_factor.
        final: Multiplier of the last step; torch's 1 / (div_factor * final_div_factor).
        shape: Of the anneal.
        three_phase: Whether to fall in two phases.

    Raises:
        ConfigError: If a share is outside [0, 1], ``shape`` is unknown, or there are three
            phases with a rise of more than half the steps.

    Source: Smith & Topin 2018, arXiv:1708.07120, with the anchors of torch's OneCycleLR.

    >>> schedule = onecycle(rise=0.5, start=0.25, final=0.0, shape="linear")
    >>> schedule.values(8).tolist()
    [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    peak, end = rise * n - 1, n - 1
    anchors, levels = [0.0, peak, end], [start, 1.0, final]
    if three_phase:
        if rise > 0.5:
            raise ConfigError.of("rise of onecycle", rise, "at most 0.5 with three phases")
        anchors, levels = [0.0, peak, 2 * peak, end], [start, 1.0, start, final]
    multipliers = np.full_like(k, start)
    for low, high, x, y in zip(anchors, anchors[1:], levels, levels[1:], strict=False):
        if high <= low:
            continue  # too few steps for this phase
        here = k > low  # later phases overwrite the rest
        p = np.clip((k[here] - low) / (high - low), 0, 1)
        multipliers[here] = x + (y - x) * (p if shape == "linear" else (1 - np.cos(np.pi * p)) / 2)
    return multipliers
