"""What a validation pass logs, batch by batch."""

from itertools import pairwise
from typing import Any


class BatchMeans:
    """What a pass logs as the mean over its batches, batch by batch."""

    def __init__(self) -> None:
        self._sums: dict[str, list[tuple[float, float]]] = {}

    def take(self, results: Any) -> None:
        """Take in what has been logged by now; to be called after each batch.

        Args:
            results: The result collection of a loop.
        """
        for item in results.values():
            if item.is_tensor and item.meta.is_mean_reduction and item.meta.on_epoch:
                sums = float(item.value), float(item.cumulated_batch_size)
                for name in results._forked_name(item, on_step=False):
                    self._sums.setdefault(name, [(0.0, 0.0)]).append(sums)

    def values(self) -> dict[str, tuple[float, ...]]:
        """Return the mean of each batch, by name; a batch that logs nothing has none."""
        return {
            name: tuple(
                (value - before) / (weight - less)
                for (before, less), (value, weight) in pairwise(sums)
                if weight > less
            )
            for name, sums in self._sums.items()
        }
