"""scikit-learn's digits: a convex classifier, and a denoiser tuned on classes it never saw."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.time_to_target.data import Arrays, cached, load
from examples.time_to_target.tasks_base import (
    Batch,
    Parts,
    Task,
    evaluator,
    grid,
    sampler,
    seeded,
    split,
)

_L2 = 1e-3  # of the objective of logreg_digits

_WIDTH = 128  # of the denoiser's hidden layers
_NOISE = 0.5  # standard deviations, on every pixel
_OLD = 5  # classes 0 to 4 are for pre-training, the others to be tuned on
_FEW = 64  # images of the new classes
_PRETRAINING_STEPS, _PRETRAINING_RATE, _PRETRAINING_SEED = 2000, 2e-3, 99


def digits() -> tuple[Tensor, Tensor]:
    """Return images (1797, 64), standardized, and labels (1797,)."""
    arrays = load("digits")
    x = torch.tensor(arrays["x"])
    return (x - x.mean(0)) / (x.std(0) + 0.1), torch.tensor(arrays["y"]).long()


def logreg_digits(seed: int, scale: float) -> Task:
    """Multinomial logistic regression with L2: convex; SGD. Validation is the whole objective."""
    x, y = digits()
    x = torch.cat([x, torch.ones(len(x), 1)], 1)  # the bias
    indices = sampler(len(x), 16, seed)
    model = seeded(seed, lambda: nn.Linear(65, 10, bias=False))
    start = torch.Generator().manual_seed(seed)
    nn.init.normal_(model.get_parameter("weight"), std=0.5, generator=start)  # far from the optimum
    unit = torch.eye(65)

    def batch(i: int) -> Batch:
        rows = indices(i)
        return x[rows], y[rows]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        weights = model(unit)  # the transposed matrix, however the model holds it
        penalty: Tensor = 0.5 * _L2 * weights.square().sum()
        return F.cross_entropy(model(batch[0]), batch[1]) + penalty

    return Task(
        name="logreg_digits",
        seed=seed,
        steps=int(6000 * scale),
        model=model,
        optimizer="sgd",
        settings={},
        batch=batch,
        loss=loss,
        validate=evaluator(loss, (x, y)),
        validation=Parts((x, y), 3),
        peaks=grid(3e-3, 3.0),
        stackable=True,
    )


def _denoiser() -> nn.Sequential:
    """Return a perceptron from images (batch, 64) to images."""
    sizes = (64, _WIDTH, _WIDTH, _WIDTH)
    layers = [nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in pairwise(sizes)]
    return nn.Sequential(*layers, nn.Linear(_WIDTH, 64))


def _noisy(x: Tensor, seed: int) -> Batch:
    """Return images with noise, and without."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return x + _NOISE * noise, x


def _noisy_batches(x: Tensor, size: int, seed: int) -> Callable[[int], Batch]:
    """Return batch i of ``size`` images, with noise of its own."""
    indices = sampler(len(x), size, seed)
    return lambda i: _noisy(x[indices(i)], seed * 7_777_777 + i)


def _squared_error(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean squared error of the denoised pixels."""
    error: Tensor = model(batch[0]) - batch[1]
    return error.square().mean()


def _pretrain() -> Arrays:
    """Train a denoiser on the old classes with Adam, linear to 0; return its weights."""
    x, y = digits()
    batch = _noisy_batches(x[y < _OLD], 32, _PRETRAINING_SEED)
    model = seeded(_PRETRAINING_SEED, _denoiser)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for i in range(_PRETRAINING_STEPS):
        optimizer.param_groups[0]["lr"] = _PRETRAINING_RATE * (1 - i / _PRETRAINING_STEPS)
        optimizer.zero_grad()
        torch.autograd.backward(_squared_error(model, batch(i)))
        optimizer.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def finetune_digits(seed: int, scale: float, *, pretrained: bool = True) -> Task:
    """A denoiser of the old classes, tuned on few images of the new; SGD with momentum.

    A small rate keeps what the network knows; a large one fits the few images instead: with
    every profile, the best peak is a sixth of the one for ``pretrained=False``, where the
    seed decides the weights too and not the batches only.
    """
    x, y = digits()
    x = x[y >= _OLD]
    train, val = split(len(x), len(x) // 2)
    held = _noisy(x[val], seed=1)
    model = seeded(seed, _denoiser)
    if pretrained:
        weights = cached("denoiser", _pretrain)
        model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return Task(
        name="finetune_digits",
        seed=seed,
        steps=int(6000 * scale),
        model=model,
        optimizer="sgd",
        settings={"momentum": 0.9},
        batch=_noisy_batches(x[train[:_FEW]], 16, seed),
        loss=_squared_error,
        validate=evaluator(_squared_error, held),
        validation=Parts(held, 8),
        test=evaluator(_squared_error, _noisy(x[train[_FEW:]], seed=2)),
        peaks=grid(2e-3, 2.0),
        stackable=True,
    )
