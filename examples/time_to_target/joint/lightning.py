"""A joint workload as what a LightningCLI config names: a module, and the data."""

from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from examples.time_to_target.joint.problem import Joint
from examples.time_to_target.lightning_task import LightningTask, loaders
from examples.time_to_target.tasks_base import Batch


class JointModule(LightningTask):
    """A joint workload with its user's rate.

    Args:
        name: Of the workload.
        seed: Of its weights.
        settings: Of its space, but those of the schedule and the data.
    """

    def __init__(self, name: str, seed: int, settings: dict[str, float]) -> None:
        problem = Joint(name, seed)
        super().__init__(problem.task({**problem.default, **settings}), problem.rate)


class JointData(LightningDataModule):
    """The batches of a joint workload.

    Args:
        name: Of the workload.
        seed: Of the order of its batches.
        batch_size: Of those that are trained on.
    """

    def __init__(self, name: str, seed: int, batch_size: int) -> None:
        super().__init__()
        problem = Joint(name, seed)
        self._task: Any = problem.task({**problem.default, "batch_size": batch_size})

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches of the whole run, in the order of its steps."""
        return loaders(self._task)[0]

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the validation batches."""
        return loaders(self._task)[1]
