"""Schedulers of the module's own: the peak that they reach, and when."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.optim.lr_scheduler import ReduceLROnPlateau

from autolr.callbacks.namespaces import LightningModule, Trainer, is_overridden
from autolr.callbacks.schedule_simulation import simulated_schedule
from autolr.callbacks.step_count import is_manual
from autolr.runtime.joint_optimizer import JointOptimizer

_TOP = 0.95  # share of its top that counts as reached: it is seldom hit at a whole step


@dataclass(frozen=True, slots=True)
class OwnRates:
    """The rates under a module's own schedulers, as far as they can be known beforehand.

    Attributes:
        peak: The highest rate of any group: as the user wrote it down (``max_lr``, else the rate
            that the optimizer was given), or as it is reached where that is a higher rate, or less
            than half of it.
        rise: Steps until it is reached; 1: the first step is made with it.
    """

    peak: float
    rise: int

    @classmethod
    def of(cls, trainer: Trainer, module: LightningModule, total_steps: int) -> "OwnRates | None":
        """Return the rates of a run that is about to begin; None without own schedulers.

        Args:
            trainer: The trainer.
            module: Its module.
            total_steps: Optimizer steps of the run.
        """
        if not trainer.lr_scheduler_configs:
            return None
        optimizer = JointOptimizer.of(trainer.optimizers)
        written = max(_written(group) for group in optimizer.param_groups)
        if is_manual(trainer) or is_overridden("lr_scheduler_step", module):
            return cls(written, rise=1)  # when they will step is known to the module alone
        with suppress(Exception):  # a scheduler that cannot be copied: what is written down counts
            rates = simulated_schedule(trainer, module, total_steps)
            highest = float(rates.max())
            usual = written / 2 <= highest <= written / _TOP
            rise = max(1, int(np.argmax(rates >= _TOP * highest)))
            return cls(written if usual or not highest > 0 else highest, rise)
        return cls(written, rise=1)


def restart_plateaus(trainer: Trainer) -> None:
    """Reset schedulers that watch a metric: another state has replaced the run's."""
    for config in trainer.lr_scheduler_configs:
        if isinstance(config.scheduler, ReduceLROnPlateau):
            config.scheduler._reset()


def _written(group: Mapping[str, Any]) -> float:
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))
