"""Multipliers out of a table."""

import numpy as np

from autolr.schedules.catalogue import profile
from autolr.settings import Array, Table


@profile
def tabulated(k: Array, n: float, table: Table) -> Array:
    """Follow a table of multipliers, such as one measured or made by another library.

        m(i / N) = table[i], i = 0 ... N - 1               linear in between, held at the end

    So ``tabulated(schedule.values(N)).values(N)`` are the values of ``schedule``.

    Settings:
        table: N >= 1 multipliers >= 0, one per step of a run of N steps.

    Raises:
        ConfigError: If the table is empty, or a number is negative or not finite.

    Source: the index convention of `Schedule`.

    >>> tabulated([1.0, 0.5]).values(4).tolist()
    [1.0, 0.75, 0.5, 0.5]
    """
    progress = np.arange(len(table)) / len(table)
    return np.asarray(np.interp(k / n, progress, table), dtype=np.float64)
