"""The noise of a difference of scores, by validation batch."""

import math
from collections.abc import Sequence
from statistics import stdev

CLEAR = 2.0
"""Standard errors of a difference that counts: 1 in 20 is noise."""

FEWEST_BATCHES = 4
"""Batches of which a standard error means something."""


def standard_error(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the standard error of the mean difference of paired values.

    Args:
        one: Values.
        other: As many; the difference of each pair is taken.

    Returns:
        0 where there are fewer than 4 pairs; infinite where a value is not finite.

    >>> round(standard_error([1.0, 2.0, 3.0, 4.0], [0.9, 2.1, 2.9, 4.1]), 3)
    0.058
    """
    if len(one) != len(other) or len(one) < FEWEST_BATCHES:
        return 0.0
    differences = [a - b for a, b in zip(one, other, strict=True)]
    if not all(map(math.isfinite, differences)):
        return math.inf
    return stdev(differences) / math.sqrt(len(differences))
