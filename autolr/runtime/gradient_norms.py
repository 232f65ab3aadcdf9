"""Norms of a run's gradients, one a step."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from autolr.runtime.total_norm import total_norm

_BLOCK = 256  # norms that stay on the device: to fetch one waits for it
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
        grads = [one.grad for one in parameters if one.grad is not None]
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
