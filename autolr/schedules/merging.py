"""The weights with which checkpoints of a run at a constant rate are merged into one.

They are returned for the oldest checkpoint first, are at least 0, and sum to 1.
"""

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import Array, Count, check_of, read_setting

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
    check_schedule("schedule", schedule)
    read_setting("count", check_of(Count), count)
    kept = np.array([schedule.at(i, count) for i in range(1, count)])
    levels = np.concatenate([[1.0], kept, [0.0]])
    weights = -np.diff(levels)
    if (weights < -_ROUNDING).any():
        raise ConfigError.of(
            "schedule", str(schedule), "at most 1 and never rise: weights are >= 0"
        )
    return np.maximum(weights, 0.0)
