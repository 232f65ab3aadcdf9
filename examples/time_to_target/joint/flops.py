"""FLOPs of a model's forward and backward passes, counted while it runs."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from examples.time_to_target.tasks_base import Batch, Loss

_ROWS = 16  # that are measured: FLOPs are linear in them


class FlopCounter:
    """FLOPs of all counted models of this process.

    Attributes:
        total: So far.
    """

    total: float = 0.0


def per_row(model: nn.Module, loss: Loss, batch: Batch) -> tuple[float, float]:
    """Return the FLOPs of a row of a batch: forward only, and forward with backward.

    Args:
        model: Whose gradients are cleared.
        loss: Of the model on a batch.
        batch: Of at least 16 rows.
    """
    rows = tuple(each[:_ROWS] for each in batch)
    was_training = model.training
    model.eval()  # batch norm keeps its statistics, dropout the generator
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        loss(model, rows)
    with FlopCounterMode(display=False) as both, torch.enable_grad():
        torch.autograd.backward(loss(model, rows))
    model.zero_grad(set_to_none=True)
    model.train(was_training)
    return forward.get_total_flops() / _ROWS, both.get_total_flops() / _ROWS


def count(model: nn.Module, forward: float, both: float) -> None:
    """Add the FLOPs of each later pass of a model to `FlopCounter`; copies of it count as well.

    Args:
        model: Its first argument has a row for each example.
        forward: FLOPs of a row without gradients.
        both: FLOPs of a row that is trained on.
    """
    vars(model)["flops_of_row"] = forward, both
    model.register_forward_pre_hook(_add)


def _add(model: nn.Module, arguments: tuple[Any, ...]) -> None:
    forward, both = vars(model)["flops_of_row"]
    FlopCounter.total += len(arguments[0]) * (both if torch.is_grad_enabled() else forward)
