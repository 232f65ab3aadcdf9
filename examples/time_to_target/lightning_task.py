"""A task as a LightningModule and its loaders, for the methods that need a Trainer."""

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, Dataset

from examples.time_to_target.tasks_base import Batch, Task

if TYPE_CHECKING:
    from torch import Tensor


class LightningTask(LightningModule):
    """A task for a Trainer: step for step the plain loop, where the Trainer has its settings.

    Give the Trainer ``max_steps=task.steps``, ``gradient_clip_val=task.clip`` and
    ``num_sanity_val_steps=0``, and fit with the loaders of `loaders`.

    Args:
        task: Its model is trained in place.
        lr: The rate of the optimizer, under the name that ``Tuner.lr_find`` changes.

    Attributes:
        validation_batches: How many batches were validated, not counting searches.
    """

    def __init__(self, task: Task, lr: float) -> None:
        super().__init__()
        self.task, self.model, self.lr = task, task.model, lr
        self.validation_batches = 0

    def on_fit_start(self) -> None:
        """Seed as the plain loop does, so that dropout is the same."""
        torch.manual_seed(self.task.seed)

    def training_step(self, batch: Batch) -> "Tensor":
        """Return the loss of a batch."""
        return self.task.training_loss(batch, self.global_step)

    def validation_step(self, batch: Batch) -> None:
        """Log what the task's user logs."""
        self.validation_batches += 1
        value = self.task.monitored(batch, self.global_step)
        self.log("val_loss", value, batch_size=len(batch[0]))

    def configure_optimizers(self) -> Any:
        """Return the task's optimizer, with the user's own scheduler if they have one."""
        optimizer = self.task.make_optimizer(self.lr)
        build = self.task.default.scheduler
        if build is None:
            return optimizer
        scheduler = {"scheduler": build(optimizer, self.task.steps), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


class _Batches(Dataset[Batch]):
    """A task's batches, in the order of its steps."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __len__(self) -> int:
        return self._task.steps

    def __getitem__(self, index: int) -> Batch:
        return self._task.batch(index)


def loaders(task: Task) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Return the training loader, one epoch of which is the whole run, and one to validate."""
    return DataLoader(_Batches(task), **_in_order()), DataLoader(task.validation, **_in_order())


def _in_order() -> dict[str, Any]:
    """Return settings of a loader that leaves the global generator alone: dropout needs it."""
    return {"batch_size": None, "generator": torch.Generator().manual_seed(0)}
