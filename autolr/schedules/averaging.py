"""The weights of averages of checkpoints that know no schedule.

They are returned for the oldest checkpoint first, are at least 0, and sum to 1.
"""

import numpy as np

from autolr.settings import Array, Beta, Count, NotNegative, check_of, read_setting


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
    read_setting("count", check_of(Count), count)
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
    read_setting("count", check_of(Count), count)
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
    read_setting("count", check_of(Count), count)
    read_setting("decay", check_of(Beta), decay)
    return _running(np.append(1.0, np.full(count - 1, 1 - decay)))


def _running(shares: Array) -> Array:
    """Return the weights of an average that takes ``shares[t]`` of checkpoint t, the first 1."""
    left = np.append(np.cumprod((1 - shares)[:0:-1])[::-1], 1.0)
    return np.asarray(shares * left, dtype=np.float64)
