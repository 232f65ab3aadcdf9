"""A task as what a LightningCLI config names: a module, and the data."""

from functools import lru_cache
from typing import ClassVar

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader
from typing_extensions import override

from examples.time_to_target.lightning_task import LightningTask, loaders
from examples.time_to_target.tasks_base import Batch, Task
from examples.time_to_target.workloads import make

_same = lru_cache(maxsize=2)(make)  # of which only the batches are used


class TaskModule(LightningTask):
    """A workload with its own optimizer, at the rate that its user sets.

    Args:
        name: Of the workload.
        seed: Of its weights and the order of its batches.
        scale: Of its length.

    Attributes:
        passes: Passes over validation of all modules of this process, searches included.
    """

    passes: ClassVar[float] = 0.0

    def __init__(self, name: str, seed: int, scale: float = 1.0) -> None:
        task = make(name, seed, scale)
        super().__init__(task, task.default.rate)

    @override
    def validation_step(self, batch: Batch) -> None:
        """Count the batch, and log what the task's user logs."""
        TaskModule.passes += 1 / len(self.task.validation)
        super().validation_step(batch)


class TaskData(LightningDataModule):
    """The batches of a workload; see `TaskModule`."""

    def __init__(self, name: str, seed: int, scale: float = 1.0) -> None:
        super().__init__()
        self._task: Task = _same(name, seed, scale)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches of the whole run, in the order of its steps."""
        return loaders(self._task)[0]

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the validation batches."""
        return loaders(self._task)[1]
