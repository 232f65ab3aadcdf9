"""The warm-up that matches the memory of Adam's second moment."""

from typing import Annotated, Literal

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Real


@profile
def untuned_warmup(
    k: Array,
    n: float,
    beta2: Annotated[float, Real(0, 1, open="high")] = 0.999,
    shape: Literal["linear", "exponential"] = "linear",
) -> Array:
    """Rise within the time that Adam's second moment takes to settle.

        m(k) = min(1, (1 - beta2) (k + 1) / 2)             linear: 2 / (1 - beta2) steps
        m(k) = 1 - exp(-(1 - beta2) (k + 1))               exponential

    A factor rather than a part of a chain: ``untuned_warmup(0.99) * cosine()``. It counts
    steps, whatever the length of the run.

    Settings:
        beta2: Adam's.
        shape: Of the rise.

    Raises:
        ConfigError: If ``beta2`` is outside [0, 1) or ``shape`` is unknown.

    Source: Ma & Yarats 2021, arXiv:1910.04209.

    >>> round(untuned_warmup(beta2=0.99).at(99, 1000), 12)
    0.5
    """
    rate = 1 - beta2
    if shape == "linear":
        return np.minimum(1, rate * (k + 1) / 2)
    return -np.expm1(-rate * (k + 1))
