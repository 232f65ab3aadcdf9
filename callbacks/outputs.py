"""What a ``training_step`` returns."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def loss_of(outputs: Tensor | Mapping[str, Any] | None, accumulated: int = 1) -> Tensor | None:
    """Return the loss among what a training step returned, without its graph.

    Args:
        outputs: What Lightning passes on: it has divided the loss by ``accumulated``.
        accumulated: The number of batches over which gradients are accumulated.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return loss.detach() * accumulated if isinstance(loss, Tensor) else None
