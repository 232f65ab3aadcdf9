"""A task as a LightningModule and its loaders, for the methods that need a Trainer."""

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, Dataset

from examples.time_to_target.tasks_base import Batch, Task

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class LightningTask(LightningModule):
    """A task for a Trainer: step for step the plain loop, where the Trainer has its settings.

    Give the Trainer ``max_steps=task.steps``, ``gradient_clip_val=task.clip`` and
    ``num_sanity_val_steps=0``, and fit with the loaders of `loaders`.

    Args:
        task: Its model is trained in place.
        lr: The rate of the optimizer, under the name that ``Tuner.lr_find`` changes.

    Attributes:
        validation_passes: How often the validation loss was computed, not counting searches.
    """

    def __init__(self, task: Task, lr: float) -> None:
        super().__init__()
        self.task, self.model, self.lr = task, task.model, lr
        self.validation_passes = 0

    def on_fit_start(self) -> None:
        """Seed as the plain loop does, so that dropout is the same."""
        torch.manual_seed(self.task.seed)

    def training_step(self, batch: Batch) -> "Tensor":
        """Return the loss of a batch."""
        return self.task.loss(self.model, batch)

    def validation_step(self, batch: Batch) -> None:
        """Log the validation loss of the whole; the batch is a dummy."""
        self.validation_passes += 1
        self.log("val_loss", self.task.validate(self.model), batch_size=1)

    def configure_optimizers(self) -> "Optimizer":
        """Return the task's optimizer."""
        return self.task.make_optimizer(self.lr)


class _Batches(Dataset[Batch]):
    """A task's batches, in the order of its steps."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __len__(self) -> int:
        return self._task.steps

    def __getitem__(self, index: int) -> Batch:
        return self._task.batch(index)


class _Dummy(Dataset[int]):
    """The one item that makes a Trainer call ``validation_step`` once a pass."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        return index


def loaders(task: Task) -> tuple[DataLoader[Batch], DataLoader[int]]:
    """Return the training loader, one epoch of which is the whole run, and one to validate."""
    return DataLoader(_Batches(task), **_in_order()), DataLoader(_Dummy(), **_in_order())


def _in_order() -> dict[str, Any]:
    """Return settings of a loader that leaves the global generator alone: dropout needs it."""
    return {"batch_size": None, "generator": torch.Generator().manual_seed(0)}
