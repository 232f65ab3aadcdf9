"""What a module logs in one pass over data, averaged as the Trainer averages it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torchmetrics import Metric

from autolr.callbacks.namespaces import extract_batch_size

LoggedValues = dict[str, tuple[str, float, float]]
"""By name: the reduction, the value (of a mean: the weighted sum), and the sum of the weights."""


class Logged:
    """Collects what a module logs.

    Attributes:
        suffix: Added to the names, as the Trainer does where there are several loaders.
        batch: The present batch, whose size is the weight of a value; None: each counts once.
    """

    def __init__(self) -> None:
        self.suffix = ""
        self.batch: Any = None
        self._values: LoggedValues = {}
        self._metrics: dict[str, Metric] = {}

    def log(
        self,
        name: str,
        value: Any,
        *_: Any,
        on_step: bool | None = None,
        on_epoch: bool | None = None,
        reduce_fx: str | Callable[[Any], Any] = "mean",
        batch_size: int | None = None,
        add_dataloader_idx: bool = True,
        **__: Any,
    ) -> None:
        """Stand in for `LightningModule.log`.

        Args:
            name: The metric's.
            value: A number, a tensor of one element or a torchmetrics object.
            on_step: As Lightning's.
            on_epoch: As Lightning's; False: the last value counts.
            reduce_fx: As Lightning's.
            batch_size: The weight of the value; None: the size of `batch`.
            add_dataloader_idx: Whether `suffix` is added to the name.
        """
        suffix = self.suffix if add_dataloader_idx else ""
        how = "last" if on_epoch is False else _name(reduce_fx)
        for key in {name + suffix, (f"{name}_epoch" if on_step and on_epoch else name) + suffix}:
            if isinstance(value, Metric):
                self._metrics[key] = value
            else:
                self._add(key, float(value), how, batch_size)

    def values(self) -> LoggedValues:
        """Return what this rank has logged, without its metrics."""
        return self._values

    def metrics(self) -> dict[str, float]:
        """Return the value of each torchmetrics object; they reduce over the ranks themselves."""
        return {name: float(metric.compute()) for name, metric in self._metrics.items()}

    def _add(self, key: str, value: float, how: str, batch_size: int | None) -> None:
        if how == "mean":
            weight = self._weight(batch_size)
            _, total, weights = self._values.get(key, (how, 0.0, 0.0))
            total = float(torch.tensor(total) + torch.tensor(value) * weight)
            self._values[key] = (how, total, weights + weight)
            return
        if how in _FOLDS and key in self._values:
            value = _FOLDS[how]([self._values[key][1], value])
        self._values[key] = (how, value, 0.0)

    def _weight(self, batch_size: int | None) -> float:
        if batch_size is not None:
            return float(batch_size)
        return 1.0 if self.batch is None else float(extract_batch_size(self.batch))


def reduced(by_rank: Sequence[LoggedValues]) -> dict[str, float]:
    """Return the value of each name that every rank has logged, over all ranks.

    Means are weighted by the sizes of the batches, in the Trainer's own precision.
    """
    names = [name for name in by_rank[0] if all(name in each for each in by_rank)]
    return {name: _reduced([each[name] for each in by_rank]) for name in names}


def _reduced(by_rank: Sequence[tuple[str, float, float]]) -> float:
    how = by_rank[0][0]
    values = [value for _, value, _ in by_rank]
    if how in _FOLDS:
        return _FOLDS[how](values)
    weights = len(by_rank) if how == "last" else sum(weight for _, _, weight in by_rank)
    return float(torch.tensor(values).sum() / weights)


def _name(reduce_fx: str | Callable[[Any], Any]) -> str:
    name = reduce_fx.lower() if isinstance(reduce_fx, str) else reduce_fx.__name__
    return "mean" if name == "avg" else name


_FOLDS: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "max": max, "sum": sum}
