"""Problems with known answers that rules are tried on."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def step(optimizer: Optimizer, loss: Callable[[], Tensor]) -> float:
    """Make one step on a loss, and return the loss before it."""

    def closure() -> Any:
        optimizer.zero_grad()
        result = loss()
        result.backward()  # type: ignore[no-untyped-call]
        return result

    result: Any = optimizer.step(closure)
    return float(result.detach())


def quadratic(weights: list[nn.Parameter], curvatures: Tensor) -> Callable[[], Tensor]:
    """Return the loss ``sum of h x^2 / 2``; its lowest value is 0, at 0."""
    return lambda: (curvatures * torch.cat([w.flatten() for w in weights]) ** 2).sum() / 2


def ones(*sizes: int) -> list[nn.Parameter]:
    """Return weights of value 1, in float64."""
    return [nn.Parameter(torch.ones(size, dtype=torch.float64)) for size in sizes]


class Batches:
    """A classifier with dropout, and the loss of its batches."""

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.inputs = torch.randn(96, 8, generator=generator)
        self.labels = (self.inputs[:, :3]).argmax(1)
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))

    def loss(self, step: int) -> Tensor:
        """Return the loss of a step's batch of 32."""
        rows = torch.arange(32 * step, 32 * step + 32) % 96
        return nn.functional.cross_entropy(self.model(self.inputs[rows]), self.labels[rows])
