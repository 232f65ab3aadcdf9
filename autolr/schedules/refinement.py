"""The schedule that the gradient norms of a finished run ask for."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Literal

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules._tabulated import tabulated
from autolr.schedules.schedule import Schedule
from autolr.settings import Array, NotNegative, OneOf, Several, Share, check_of, read_setting

_MOST = 10_000  # norms that are used; of a longer run as many, evenly spaced
_LEAST = 1e-3  # of the median: the rate goes with 1 / G^2, and a norm of 0 would take all of it
_NORMS = Several((check_of(NotNegative),), low=2)


def refine(
    gradient_norms: Sequence[float] | Array,
    *,
    norm: Literal["l2", "l1"] = "l2",
    smoothing: float = 0.1,
) -> Schedule:
    """Return the schedule that is best for the gradient norms of a finished run.

        w_t = 1 / G_t^2 with "l2", 1 / G_t with "l1"
        m_t = w_t sum_{p > t} w_p, divided by the largest

    The norms G are smoothed by a running median first. Norms that stay of one size give a linear
    decay, norms that fall in the beginning a warm-up. The last step has the multiplier 0.

    Args:
        gradient_norms: One for each step of the run, or some evenly spaced ones, of the whole
            gradient. Norms below a thousandth of their median count as that.
        norm: "l2" for SGD and its kin; "l1", the sum of absolute values, for Adam and its kin.
        smoothing: Width of the median as a share of the run; 0 leaves the norms as they are.

    Returns:
        A `tabulated` schedule, of at most 10,000 points, for a run of any length.

    Raises:
        ConfigError: If there are fewer than 2 norms, one is negative or not finite, more than
            half of them are 0, ``norm`` is unknown, or ``smoothing`` is outside [0, 1].

    Source: Defazio et al. 2023, "When, Why and How Much?", arXiv:2310.07831, with the filter of
    their code, facebookresearch/adaptive_scheduling.

    >>> refine([1.0] * 5, smoothing=0).values(5).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> refine([4, 2, 1, 1, 1, 1], smoothing=0).values(6).round(2).tolist()
    [0.09, 0.33, 1.0, 0.67, 0.33, 0.0]
    """
    read_setting("norm", OneOf(("l2", "l1")), norm)
    read_setting("smoothing", check_of(Share), smoothing)
    norms = np.array(read_setting("gradient_norms", _NORMS, gradient_norms), dtype=np.float64)
    if len(norms) > _MOST:
        at = np.arange(_MOST) * (len(norms) / _MOST)
        norms = np.interp(at, np.arange(len(norms)), norms)
    norms = _running_median(norms, 2 * (int(smoothing * len(norms)) // 2) + 1)
    median = float(np.median(norms))
    if median == 0:
        raise ConfigError("gradient_norms must be above 0 at half of the steps, got 0 at more")
    weights = np.maximum(norms / median, _LEAST) ** (-2 if norm == "l2" else -1)
    ahead = np.append(np.cumsum(weights[:0:-1])[::-1], 0.0)
    multipliers = weights * ahead
    return tabulated(multipliers / multipliers.max())


def _running_median(values: Array, width: int) -> Array:
    """Return the medians of windows: mirrored at the right end, at the left the first value."""
    half = width // 2
    padded = np.pad(np.pad(values, (0, half), mode="reflect"), (half, 0), mode="edge").tolist()
    window = sorted(padded[:width])  # kept sorted: a window is too wide to sort it at each step
    medians = [window[half]]
    for old, new in zip(padded, padded[width:], strict=False):
        del window[bisect_left(window, old)]
        insort(window, new)
        medians.append(window[half])
    return np.array(medians)
