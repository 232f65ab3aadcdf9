"""The weights with which checkpoints of a run at a constant rate are merged into one.

All of them are returned for the oldest checkpoint first, at least 0, and sum to 1.
"""

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.schedule import Schedule
from autolr.settings import Array, Beta, Count, NotNegative, check_of, read_setting

_ROUNDING = 1e-12  # of a multiplier; values of a schedule that is level may rise by as much


def merge_weights(schedule: Schedule, count: int) -> Array:
    """Return the weights of the merge that stands for a cooldown along ``schedule``.

        c_0 = 1 - w_1,  c_j = w_j - w_{j + 1},  c_k = w_k      w_i = m(i / (k + 1)), k = count - 1

    The merged weights are those of a run in which the update before checkpoint i was multiplied by
    w_i: a constant run with its last checkpoints merged stands for one that was cooled down, as
    far as its gradients would have been the same. A linear schedule gives the mean.

    Args:
        schedule: Falls, or is level, from at most 1. Its spans are those of the merged steps.
        count: How many checkpoints, evenly spaced; the first is where the cooldown begins.

    Returns:
        Shape (count,).

    Raises:
        ConfigError: If ``schedule`` rises, is above 1 or does not fit, or ``count`` is not a whole
            number of at least 1.

    Source: Tian et al. 2025, "WSM: decay-free learning rate schedule via checkpoint merging",
    theorem 3.1, arXiv:2507.17634.

    >>> from autolr.schedules import cooldown, linear
    >>> merge_weights(linear(), 4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> merge_weights(cooldown(None, "1-sqrt"), 4).round(3).tolist()
    [0.5, 0.207, 0.159, 0.134]
    """
    _check_count(count)
    kept = np.array([schedule.at(i, count) for i in range(1, count)])
    levels = np.concatenate([[1.0], kept, [0.0]])
    weights = -np.diff(levels)
    if (weights < -_ROUNDING).any():
        raise ConfigError.of(
            "schedule", str(schedule), "at most 1 and never rise: weights are >= 0"
        )
    return np.maximum(weights, 0.0)


def lawa_weights(count: int, latest: int) -> Array:
    """Return the mean of the latest checkpoints (LAWA).

    Args:
        count: How many checkpoints there are.
        latest: How many of them are averaged; all, if there are fewer.

    Raises:
        ConfigError: If one is not a whole number of at least 1.

    Source: Kaddour 2022, "Stop wasting my time!", arXiv:2209.14981.

    >>> lawa_weights(4, latest=2).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    _check_count(count)
    read_setting("latest", check_of(Count), latest)
    used = min(count, latest)
    return np.concatenate([np.zeros(count - used), np.full(used, 1 / used)])


def polynomial_weights(count: int, gamma: float = 8.0) -> Array:
    """Return the weights of polynomial-decay averaging, which never forgets its horizon.

        average_t = (1 - (1 + gamma) / (t + gamma)) average_{t - 1} + (1 + gamma) / (t + gamma) x_t

    Args:
        count: How many checkpoints; t = 1 is the oldest.
        gamma: 0 is the mean of all; larger ones forget the oldest sooner.

    Raises:
        ConfigError: If ``count`` is not a whole number of at least 1 or ``gamma`` is negative.

    Source: Shamir & Zhang 2013, arXiv:1212.1824; gamma = 8 as in Ivgi et al. 2023 (DoG),
    arXiv:2302.12022.

    >>> polynomial_weights(3, gamma=1).round(3).tolist()
    [0.167, 0.333, 0.5]
    """
    _check_count(count)
    read_setting("gamma", check_of(NotNegative), gamma)
    return _running((1 + gamma) / (np.arange(1, count + 1, dtype=np.float64) + gamma))


def ema_weights(count: int, decay: float) -> Array:
    """Return the weights of an exponential moving average that starts at the oldest checkpoint.

        average_t = decay average_{t - 1} + (1 - decay) x_t

    Args:
        count: How many checkpoints.
        decay: Share of the average that stays; 0 is the latest checkpoint alone.

    Raises:
        ConfigError: If ``count`` is not a whole number of at least 1 or ``decay`` is outside
            [0, 1).

    Source: Polyak & Juditsky 1992, with the constant weight of torch's ``get_ema_avg_fn``.

    >>> ema_weights(3, decay=0.5).tolist()
    [0.25, 0.25, 0.5]
    """
    _check_count(count)
    read_setting("decay", check_of(Beta), decay)
    return _running(np.append(1.0, np.full(count - 1, 1 - decay)))


def _running(shares: Array) -> Array:
    """Return the weights of an average that takes ``shares[t]`` of checkpoint t, the first 1."""
    left = np.append(np.cumprod((1 - shares)[:0:-1])[::-1], 1.0)
    return np.asarray(shares * left, dtype=np.float64)


def _check_count(count: int) -> None:
    read_setting("count", check_of(Count), count)
