"""Images: convolutional networks on 5,000 MNIST digits, shifted at random."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.time_to_target.data import load
from examples.time_to_target.tasks_base import (
    Batch,
    Parts,
    Task,
    cross_entropy,
    evaluator,
    grid,
    sampler,
    seeded,
    split,
)

_SHIFT = 3  # pixels, at most, in every direction
_SIDE = 28


class SmallCNN(nn.Module):
    """Three strided convolutions with batch norm, an average and a linear layer."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        channels = (1, width, 2 * width, 4 * width)
        self.features = nn.Sequential(*(_convolution(*pair) for pair in pairwise(channels)))
        self.head = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, 1, 28, 28) to logits (batch, 10)."""
        logits: Tensor = self.head(self.features(x).mean((2, 3)))
        return logits


def _convolution(inputs: int, outputs: int, stride: int = 2) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def images() -> tuple[Tensor, Tensor]:
    """Return images (5000, 1, 28, 28), standardized, and labels (5000,)."""
    arrays = load("mnist5k")
    x = torch.tensor(arrays["x"]).float().unsqueeze(1) / 255
    return (x - 0.13) / 0.31, torch.tensor(arrays["y"]).long()


def shifted(x: Tensor, y: Tensor, size: int, seed: int) -> Callable[[int], Batch]:
    """Return batch i of ``size`` images, each shifted at random."""
    padded = F.pad(x, (_SHIFT,) * 4, value=float(x.min()))
    pixels = torch.arange(_SIDE)
    indices = sampler(len(x), size, seed)

    def batch(i: int) -> Batch:
        rows = indices(i)
        generator = torch.Generator().manual_seed(seed * 7_777_777 + i)
        shift = torch.randint(0, 2 * _SHIFT + 1, (2, len(rows)), generator=generator)
        down, right = shift[0][:, None] + pixels, shift[1][:, None] + pixels
        images = padded[rows[:, None, None], 0, down[:, :, None], right[:, None, :]]
        return images.unsqueeze(1), y[rows]

    return batch


def cnn_mnist5k(seed: int, scale: float) -> Task:
    """A small network with batch norm; SGD with momentum and decay."""
    x, y = images()
    train, val = split(len(x), 1500)
    return Task(
        name="cnn_mnist5k",
        seed=seed,
        steps=int(648 * scale),
        model=seeded(seed, SmallCNN),
        optimizer="sgd",
        settings={"momentum": 0.9, "weight_decay": 5e-4},
        batch=shifted(x[train], y[train], 32, seed),
        loss=cross_entropy,
        validate=evaluator(cross_entropy, (x[val], y[val])),
        validation=Parts((x[val], y[val]), 12),
        peaks=grid(1e-3, 1.0),
    )


class DropNet(nn.Module):
    """Convolutions with batch norm, then a deep head with dropout and no norm."""

    def __init__(self, width: int = 8, hidden: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _convolution(1, width),
            _convolution(width, 2 * width),
            _convolution(2 * width, 4 * width),
            nn.Flatten(),
        )
        sizes = (64 * width, hidden, hidden, hidden)
        layers = [
            nn.Sequential(nn.Dropout(dropout), nn.Linear(*pair), nn.ReLU())
            for pair in pairwise(sizes)
        ]
        self.head = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(hidden, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, 1, 28, 28) to logits (batch, 10)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def dropnet_mnist5k(seed: int, scale: float) -> Task:
    """Batch norm and dropout; SGD with heavy momentum, which kills the head late in a run."""
    x, y = images()
    train, val = split(len(x), 1500)
    return Task(
        name="dropnet_mnist5k",
        seed=seed,
        steps=int(600 * scale),
        model=seeded(seed, DropNet),
        optimizer="sgd",
        settings={"momentum": 0.95, "weight_decay": 5e-4},
        batch=shifted(x[train], y[train], 32, seed),
        loss=cross_entropy,
        validate=evaluator(cross_entropy, (x[val], y[val])),
        validation=Parts((x[val], y[val]), 12),
        peaks=grid(1e-3, 1.0),
    )
