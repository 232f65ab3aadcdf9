"""Held out: tasks that no choice in autolr was made on."""

from collections.abc import Callable

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
from examples.time_to_target.tasks_text import windows

_CONTEXT = 6  # bytes that the language model sees
_SYMBOLS = 128  # ASCII


class Autoencoder(nn.Module):
    """A perceptron that squeezes an image into 16 numbers and back."""

    def __init__(self, hidden: int = 64, code: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, hidden),
            nn.ReLU(),
            nn.Linear(hidden, code),
            nn.Linear(code, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 784),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, 784) to logits of their pixels."""
        logits: Tensor = self.layers(x)
        return logits


def _reconstruction(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of a pixel."""
    return F.binary_cross_entropy_with_logits(model(batch[0]), batch[0])


def autoencoder_mnist5k(seed: int, scale: float) -> Task:
    """Reconstruct images; Adam."""
    x = torch.tensor(load("mnist5k")["x"]).float().flatten(1) / 255
    train, val = split(len(x), 1000)
    indices = sampler(len(train), 32, seed)
    return Task(
        name="autoencoder_mnist5k",
        seed=seed,
        steps=int(2000 * scale),
        model=seeded(seed, Autoencoder),
        optimizer="adam",
        settings={},
        batch=lambda i: (x[train[indices(i)]],),
        loss=_reconstruction,
        validate=evaluator(_reconstruction, (x[val],)),
        validation=Parts((x[val],), 8),
        peaks=grid(1e-4, 1e-1),
        stackable=True,
    )


class ContextModel(nn.Module):
    """Predicts the next byte from the last six, by a perceptron on their embeddings."""

    def __init__(self, width: int = 16, hidden: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_SYMBOLS, width)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(_CONTEXT * width, hidden),
            nn.Tanh(),
            nn.Linear(hidden, _SYMBOLS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map bytes (batch, 6) to logits (batch, symbols)."""
        logits: Tensor = self.layers(self.embedding(x))
        return logits


def _contexts(text: Tensor, size: int, seed: int) -> Callable[[int], Batch]:
    """Return batch i: ``size`` random places of the text, and the byte that follows each."""
    draw = windows(text, size, seed, _CONTEXT)

    def batch(i: int) -> Batch:
        seen, following = draw(i)
        return seen, following[:, -1]

    return batch


def context_pysrc(seed: int, scale: float) -> Task:
    """The next byte of Python source from six; SGD with Nesterov momentum."""
    arrays = load("pysrc")
    val = _contexts(torch.tensor(arrays["val"]), 8192, seed=4242)(0)
    test = _contexts(torch.tensor(load("pysrc_test")["test"]), 8192, seed=4242)(0)
    return Task(
        name="context_pysrc",
        seed=seed,
        steps=int(2000 * scale),
        model=seeded(seed, ContextModel),
        optimizer="sgd",
        settings={"momentum": 0.9, "nesterov": True},
        batch=_contexts(torch.tensor(arrays["train"]), 64, seed),
        loss=cross_entropy,
        validate=evaluator(cross_entropy, val),
        validation=Parts(val, 8),
        test=evaluator(cross_entropy, test),
        peaks=grid(3e-3, 3.0),
        stackable=True,
    )
