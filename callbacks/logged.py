"""What one validation pass has logged, over all ranks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

LoggedValues = dict[str, tuple[str, float, float]]
"""By name: the reduction, the value (of a mean: the weighted sum), and the sum of the weights."""


_FOLDS: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "max": max, "sum": sum}


def new_metrics(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that a pass has logged, without those of earlier loops.

    Args:
        before: The Trainer's metrics before the pass.
        after: Those after it; each one that was logged is another tensor.
    """
    logged = {name: value for name, value in after.items() if value is not before.get(name)}
    return {
        name: float(value)
        for name, value in logged.items()
        if not isinstance(value, torch.Tensor) or value.numel() == 1
    }


def local_values(results: Any) -> LoggedValues:
    """Return what this rank has logged for itself alone, without ``sync_dist``.

    Metrics of torchmetrics reduce over the ranks themselves.

    Args:
        results: The result collection of a loop at the end of its epoch.
    """
    values: LoggedValues = {}
    for item in results.values():
        if not item.is_tensor or not item.meta.on_epoch or item.meta.sync.should or item.has_reset:
            continue
        how = item.meta.reduce_fx.__name__
        weight = float(item.cumulated_batch_size) if how == "mean" else 0.0
        for name in results._forked_name(item, on_step=False):
            values[name] = (how, float(item.value), weight)
    return values


def over_ranks(by_rank: Sequence[tuple[dict[str, float], LoggedValues]]) -> dict[str, float]:
    """Return the value of each name that every rank has logged, over all ranks.

    Args:
        by_rank: What each rank has in its metrics, and which of them are its own alone.
    """
    names = [name for name in by_rank[0][0] if all(name in metrics for metrics, _ in by_rank)]
    alone = [name for name in names if all(name in values for _, values in by_rank)]
    reduced = {name: _reduced([values[name] for _, values in by_rank]) for name in alone}
    return {name: by_rank[0][0][name] for name in names} | reduced


def _reduced(by_rank: Sequence[Sequence[Any]]) -> float:
    """Reduce over the ranks; means are weighted by the sizes of the batches."""
    how = by_rank[0][0]
    values = [value for _, value, _ in by_rank]
    if how != "mean":
        return _FOLDS[how](values)
    weights = sum(weight for _, _, weight in by_rank)
    return float(torch.tensor(values).sum() / weights)
