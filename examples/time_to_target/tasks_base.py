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
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import Dataset

Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Batch], Tensor]
LossAt = Callable[[nn.Module, Batch, int], Tensor]
"""A loss that depends on the step as well, counted from 0."""

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
CUSTOMARY = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}
"""The rate that a user of each optimizer sets without a search."""

_SPLIT_SEED = 12345  # of every task's split, whatever the task's own seed


class Parts(Dataset[Batch]):
    """A batch cut into ``n`` of one size. A dataset, because a search copies what a module holds.

    Args:
        batch: Tensors of equally many rows.
        n: How many parts.

    Raises:
        ValueError: If the rows do not divide by ``n``.
    """

    def __init__(self, batch: Batch, n: int) -> None:
        rows = len(batch[0])
        if rows % n:
            raise ValueError(f"{rows} rows cannot be cut into {n} batches of one size")
        split = [torch.split(tensor, rows // n) for tensor in batch]
        self._parts: list[Batch] = list(zip(*split, strict=True))

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._parts)

    def __getitem__(self, index: int) -> Batch:
        return self._parts[index]


@dataclass(frozen=True)
class Default:
    """What the user of a task has in their module.

    Attributes:
        rate: Of the optimizer.
        scheduler: From the optimizer, at that rate, and the steps of a run to the module's own
            scheduler, which is stepped after each step; None where the rate is constant.
    """

    rate: float
    scheduler: Callable[[Optimizer, int], LRScheduler] | None = None


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
        validate: The validation score of a model: the mean of ``score`` over the validation
            data; lower is better. Deterministic; the model is put into evaluation mode and back.
        validation: The validation data in batches of one size.
        peaks: The log-spaced peaks of the oracle's grid, over three decades.
        clip: The norm that gradients are clipped to, or None.
        stackable: Whether ``torch.func.vmap`` can train many copies at once.
        score: What a final model is judged by, on a batch. None: the training loss.
        monitor: What a user's module logs as ``val_loss``, where that is not the score.
        loss_at: The training loss of a model on the batch of a step, where the step matters.
        test: The mean score of a model on data that neither training nor validation has. None
            where the task uses all the data there are.
        own: The user's setting. None: the customary rate, constant.
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
    validation: Parts
    peaks: tuple[float, ...]
    clip: float | None = None
    stackable: bool = False
    score: Loss | None = None
    monitor: LossAt | None = None
    loss_at: LossAt | None = None
    test: Callable[[nn.Module], float] | None = None
    own: Default | None = None

    @property
    def default(self) -> Default:
        """What the user of the task has: their own setting, else the customary rate."""
        return self.own or Default(CUSTOMARY[self.optimizer])

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are trained."""
        return [each for each in self.model.parameters() if each.requires_grad]

    def make_optimizer(self, lr: float) -> Optimizer:
        """Return the task's own optimizer over the parameters that are trained."""
        build = _OPTIMIZERS[self.optimizer]
        return build(self.parameters(), lr=lr, fused=True, **self.settings)

    def tested(self, model: nn.Module) -> float:
        """Return the test score of a model; NaN for a task without a test split."""
        return math.nan if self.test is None else self.test(model)

    def training_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the loss of the model on the batch of a step, counted from 0."""
        if self.loss_at is not None:
            return self.loss_at(self.model, batch, step)
        return self.loss(self.model, batch)

    def monitored(self, batch: Batch, step: int) -> Tensor:
        """Return what the user's module logs for a validation batch after ``step`` steps."""
        if self.monitor is not None:
            return self.monitor(self.model, batch, step)
        return (self.score or self.loss)(self.model, batch)


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


def evaluator(loss: Loss, *batches: Batch) -> Callable[[nn.Module], float]:
    """Return a function from a model to its mean loss on batches, in evaluation mode."""

    def validate(model: nn.Module) -> float:
        was_training = model.training
        model.eval()
        with torch.no_grad():
            value = sum(float(loss(model, batch)) for batch in batches) / len(batches)
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
