"""Evaluation mode, and the mean of losses."""

import math
from collections.abc import Sequence

from torch import nn


def mean(losses: Sequence[float]) -> float:
    """Return the mean; NaN of none."""
    return sum(losses) / len(losses) if losses else math.nan


class evaluating:
    """Put a model into evaluation mode for a block, and each module's mode back after it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modes: list[tuple[nn.Module, bool]] = []

    def __enter__(self) -> None:
        self._modes = [(module, module.training) for module in self._model.modules()]
        self._model.eval()

    def __exit__(self, *_: object) -> None:
        for module, training in self._modes:
            module.training = training
