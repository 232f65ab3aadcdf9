"""The task, and code that the families of tasks share."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Batch], Tensor]

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
_SPLIT_SEED = 12345  # of every task's split, whatever the task's own seed


@dataclass(frozen=True, eq=False)
class Task:
    """One workload at one seed and scale.

    The seed decides the initial weights and the order of the batches, never the split. The
    model is trained in place: make a new task for another run.

    Attributes:
        name: The workload's name.
        seed: The seed it was made with.
        steps: How many optimizer steps a run has.
        model: The model, initialized.
        optimizer: The task's own: "sgd", "adam" or "adamw".
        settings: The optimizer's settings, without the rate.
        batch: The batch of step i, by random access: the same i, the same batch.
        loss: The training loss of a model on a batch.
        validate: The validation loss of a model; lower is better. Deterministic; the model is
            put into evaluation mode and back.
        peaks: The 9 log-spaced peaks of the oracle's grid, over three decades.
        clip: The norm that gradients are clipped to, or None.
        stackable: Whether ``torch.func.vmap`` can train many copies at once.
    """

    name: str
    seed: int
    steps: int
    model: nn.Module
    optimizer: str
    settings: Mapping[str, Any]
    batch: Callable[[int], Batch]
    loss: Loss
    validate: Callable[[nn.Module], float]
    peaks: tuple[float, ...]
    clip: float | None = None
    stackable: bool = False

    def make_optimizer(self, lr: float) -> Optimizer:
        """Return the task's own optimizer over the model's parameters."""
        build = _OPTIMIZERS[self.optimizer]
        return build(self.model.parameters(), lr=lr, fused=True, **self.settings)


class Batches:
    """The batches of a task, of step 0 and on without an end; each iteration begins anew."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __iter__(self) -> Iterator[Batch]:
        return map(self._task.batch, count())


def grid(low: float, high: float, n: int = 9) -> tuple[float, ...]:
    """Return ``n`` log-spaced rates, rounded to 4 digits so that a CSV holds them exactly."""
    ratio = math.log(high / low)
    return tuple(float(f"{low * math.exp(ratio * i / (n - 1)):.4g}") for i in range(n))


def split(n: int, n_val: int) -> tuple[Tensor, Tensor]:
    """Return the indices of training and of validation, the same for every seed."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(_SPLIT_SEED))
    return order[n_val:], order[:n_val]


def sampler(n: int, batch_size: int, seed: int) -> Callable[[int], Tensor]:
    """Return the indices of batch i: n items, shuffled every epoch, the last few dropped."""
    per_epoch = n // batch_size

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(1_000_003 * (seed + 1) + epoch)
        return torch.randperm(n, generator=generator)

    def indices(i: int) -> Tensor:
        epoch, k = divmod(i, per_epoch)
        return order(epoch)[k * batch_size : (k + 1) * batch_size]

    return indices


def evaluator(loss: Loss, batch: Batch) -> Callable[[nn.Module], float]:
    """Return a function from a model to its loss on ``batch``, in evaluation mode."""

    def validate(model: nn.Module) -> float:
        was_training = model.training
        model.eval()
        with torch.no_grad():
            value = float(loss(model, batch))
        model.train(was_training)
        return value

    return validate


def seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """Return a model whose weights depend on ``seed`` only; global randomness is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of a classifier on (inputs, labels)."""
    inputs, labels = batch
    return nn.functional.cross_entropy(model(inputs), labels)
