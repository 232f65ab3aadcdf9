"""Hard starts, perceptrons: a plateau, a loss mostly of noise, a deep stack, an own OneCycle."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from examples.time_to_target.tasks_base import (
    Batch,
    Default,
    Parts,
    Task,
    evaluator,
    grid,
    sampler,
    seeded,
)
from examples.time_to_target.tasks_digits import digits
from examples.time_to_target.tasks_hard_data import of_classes

_BITS = 12
_DEEP, _NARROW = 14, 48  # layers of deep_relu, and their width
_NOISE = 11.8  # standard deviations of constant_part's targets: 139 of its loss
_INPUTS = 8


def _bits(n: int, seed: int) -> Batch:
    """Return rows of -1 and 1, and whether the product of the first three is positive."""
    x = torch.randn(n, _BITS, generator=torch.Generator().manual_seed(seed)).sign()
    return x, (x[:, :3].prod(1, keepdim=True) > 0).float()


def _binary(model: nn.Module, batch: Batch) -> Tensor:
    return F.binary_cross_entropy_with_logits(model(batch[0]), batch[1])


def parity(seed: int, scale: float) -> Task:
    """Three bits of twelve; Adam. Stands at chance until the bits are discovered together."""
    x, y = _bits(3200, seed=0)
    val, test = _bits(800, seed=1), _bits(800, seed=2)
    indices = sampler(len(x), 32, seed)

    def batch(i: int) -> Batch:
        rows = indices(i)
        return x[rows], y[rows]

    return Task(
        name="parity",
        seed=seed,
        steps=int(800 * scale),
        model=seeded(
            seed, lambda: nn.Sequential(nn.Linear(_BITS, 64), nn.ReLU(), nn.Linear(64, 1))
        ),
        optimizer="adam",
        settings={},
        batch=batch,
        loss=_binary,
        validate=evaluator(_binary, val),
        validation=Parts(val, 8),
        peaks=grid(3e-4, 3e-1, 7),
        test=evaluator(_binary, test),
    )


def _deep(sizes: tuple[int, ...]) -> nn.Sequential:
    """Return a perceptron as torch initializes it: signals shrink from layer to layer."""
    *hidden, last = [nn.Linear(*pair) for pair in pairwise(sizes)]
    return nn.Sequential(*(nn.Sequential(layer, nn.ReLU()) for layer in hidden), last)


def deep_relu(seed: int, scale: float) -> Task:
    """Digits by 14 layers without a norm; Adam."""
    x, y = digits()
    return Task(
        name="deep_relu",
        seed=seed,
        steps=int(900 * scale),
        model=seeded(seed, lambda: _deep((64, *[_NARROW] * (_DEEP - 1), 10))),
        optimizer="adam",
        settings={},
        peaks=grid(1e-4, 1e-1, 7),
        **of_classes(x, y, 32, seed),
    )


def _signal(n: int, seed: int) -> Batch:
    """Return inputs, noisy targets, and the targets without noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, _INPUTS, generator=generator)
    clean = (x[:, :1] + torch.tanh(2 * x[:, 1:2]) + 0.5 * x[:, 2:3].abs()) * 1.1
    return x, clean + _NOISE * torch.randn(n, 1, generator=generator), clean


def _squared_error(model: nn.Module, batch: Batch) -> Tensor:
    error: Tensor = model(batch[0]) - batch[1]
    return error.square().mean()


def _excess(model: nn.Module, batch: Batch) -> Tensor:
    """Return what the loss has beyond the noise."""
    return _squared_error(model, (batch[0], batch[2]))


def constant_part(seed: int, scale: float) -> Task:
    """Regression of a weak signal; Adam. 139 of the loss of 142 are noise; the rest is judged."""
    val, test = _signal(8000, seed=1), _signal(8000, seed=2)
    return Task(
        name="constant_part",
        seed=seed,
        steps=int(900 * scale),
        model=seeded(
            seed, lambda: nn.Sequential(nn.Linear(_INPUTS, 32), nn.ReLU(), nn.Linear(32, 1))
        ),
        optimizer="adam",
        settings={},
        batch=lambda i: _signal(128, seed=1_000_003 * (seed + 1) + i),
        loss=_squared_error,
        validate=evaluator(_excess, val),
        validation=Parts(val, 8),
        peaks=grid(1e-4, 1e-1, 7),
        score=_excess,
        monitor=lambda model, batch, _: _squared_error(model, batch),
        test=evaluator(_excess, test),
    )


def _one_cycle(optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return the scheduler with the optimizer's rate as its highest."""
    return OneCycleLR(optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=steps)


def _convolutions() -> nn.Sequential:
    """Return a network from images (batch, 64) to logits."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 16, 10),
    )


def onecycle(seed: int, scale: float) -> Task:
    """Digits by convolutions with batch norm; SGD with momentum and a OneCycleLR of the module."""
    x, y = digits()
    clean = of_classes(x, y, 32, seed)

    def batch(i: int) -> Batch:
        images, labels = clean["batch"](i)
        return images + 0.5 * _noise(len(labels), seed, i), labels

    return Task(
        name="onecycle",
        seed=seed,
        steps=int(400 * scale),
        model=seeded(seed, _convolutions),
        optimizer="sgd",
        settings={"momentum": 0.9, "weight_decay": 5e-4},
        peaks=grid(3e-3, 3.0, 7),
        own=Default(0.1, _one_cycle),
        **(clean | {"batch": batch}),
    )


def _noise(n: int, seed: int, i: int) -> Tensor:
    return torch.randn(n, 64, generator=torch.Generator().manual_seed(seed * 7_777_777 + i))
