"""What a run with manual optimization steps itself beside weights and optimizers."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.rates import Rates
from autolr.runtime.step_context import WrittenGroups
from autolr.runtime.structure import all_parameters


@dataclass(frozen=True, slots=True)
class RunParts:
    """Schedulers, the Trainer's count of steps, and which parameters require a gradient.

    A ``training_step`` that steps optimizers may step schedulers too, and toggle parameters. These
    belong to the run: a rival begins with them as the live run did, and what it does to them is
    undone.

    Attributes:
        schedulers: Each with its state.
        progress: The Trainer's optimizer steps.
        flags: By parameter: whether it requires a gradient.
    """

    schedulers: tuple[tuple[Any, Any], ...]
    progress: tuple[Any, Any]
    flags: dict[Tensor, bool]

    @classmethod
    def capture(cls, trainer: Trainer, module: LightningModule) -> "RunParts":
        """Return them as they are.

        Args:
            trainer: The trainer.
            module: Its module.
        """
        progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
        parameters = all_parameters(module, JointOptimizer.of(trainer.optimizers))
        return cls(
            tuple((one, copy.deepcopy(one.state_dict())) for one in schedulers),
            (progress, progress.state_dict()),
            {parameter: parameter.requires_grad for parameter in parameters},
        )

    def restore(self) -> None:
        """Put them back."""
        for scheduler, state in self.schedulers:
            scheduler.load_state_dict(copy.deepcopy(state))
        progress, state = self.progress
        progress.load_state_dict(state)
        for parameter, flag in self.flags.items():
            if parameter.requires_grad is not flag:
                parameter.requires_grad = flag


@contextmanager
def kept_by_run(trainer: Trainer, module: LightningModule) -> Iterator[None]:
    """Leave what schedulers and hooks write as it is, whatever a block does to it.

    Args:
        trainer: The trainer.
        module: Its module, in which a rival is in place.
    """
    optimizer = JointOptimizer.of(trainer.optimizers)
    parts, groups = RunParts.capture(trainer, module), WrittenGroups.capture(optimizer)
    with Rates.beside(optimizer):
        try:
            yield
        finally:
            parts.restore()
            groups.restore()
