"""Norms of a run's gradients, one a step."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from autolr.runtime.average import wide

_BLOCK = 256  # norms that stay on the device: to fetch one waits for it
_HALF = (torch.float16, torch.bfloat16)
_MOST = 20_000  # norms that are kept: of a longer run every second, fourth ... step


class GradientNorms:
    """Collects the norm of the gradient at each step of a run.

    Args:
        order: 2 for the L2 norm, 1 for the sum of absolute values.
        values: Norms of the steps so far.
        every: One of so many steps is kept.
        made: Steps so far.
    """

    def __init__(
        self, order: int, values: Sequence[float] = (), every: int = 1, made: int = 0
    ) -> None:
        self.order = order
        self.every, self.made = every, made
        self._values = list(values)
        self._parts: list[Tensor] = []  # of the present step, one for each optimizer
        self._waiting: list[Tensor] = []
        self._steps = False  # whether the present batch ends in a step

    @torch.no_grad()
    def add(self, parameters: Iterable[Tensor], scale: float = 1.0) -> None:
        """Take in the gradients with which an optimizer is about to step.

        Args:
            parameters: Of the optimizer; those without a gradient have no part in it.
            scale: By what the gradients are multiplied.
        """
        self._steps = True
        if self.made % self.every:
            return
        grads = [_dense(one.grad) for one in parameters if one.grad is not None]
        if grads:
            norm = total_norm(grads, self.order)
            self._parts.append(norm if scale == 1 else norm / scale)

    def end_step(self) -> None:
        """End a batch, in which the optimizer may have stepped."""
        if not self._steps:
            return
        if len(self._parts) == 1:
            self._waiting.append(self._parts[0].float())
            self._parts = []
        elif self._parts:
            device = self._parts[0].device
            parts = torch.stack([part.float().to(device) for part in self._parts])
            self._waiting.append(torch.linalg.vector_norm(parts, self.order))
            self._parts = []
        self._steps = False
        self.made += 1
        if len(self._waiting) >= _BLOCK:
            self._fetch()

    def values(self) -> tuple[float, ...]:
        """Return the norms of the steps so far.

        Those of steps that a gradient scaler skipped, or of a run that diverged, are not finite.
        """
        self._fetch()
        return tuple(self._values)

    def _fetch(self) -> None:
        if self._waiting:
            self._values += torch.stack(self._waiting).tolist()
            self._waiting = []
        while len(self._values) > _MOST:
            self._values = self._values[::2]
            self.every *= 2


def total_norm(grads: Sequence[Tensor], order: int) -> Tensor:
    """Return the norm of all gradients together, in float32 at least.

    Args:
        grads: Dense ones, at least one.
        order: 2 for the L2 norm, 1 for the sum of absolute values.
    """
    total: Tensor
    if any(grad.dtype in _HALF for grad in grads):  # a sum in half precision ends at 65,504
        norms = [torch.linalg.vector_norm(grad, order, dtype=wide(grad.dtype)) for grad in grads]
        together = torch.stack([norm.to(norms[0]) for norm in norms])
        total = torch.linalg.vector_norm(together, order)
    else:
        foreach = True if all(grad.is_cpu for grad in grads) else None  # else torch loops there
        total = nn.utils.get_total_norm(grads, float(order), foreach=foreach)
    return total


def _dense(grad: Tensor) -> Tensor:
    return grad.coalesce().values() if grad.is_sparse else grad
