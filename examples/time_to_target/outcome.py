"""The outcome of a method on one workload, and the ledger that counts its costs."""

import dataclasses
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from examples.time_to_target.tasks_base import Batch, Task


@dataclass(frozen=True)
class Outcome:
    """One row of the results.

    Attributes:
        final: Validation loss at the end; infinite when the run diverged.
        peak: The rate that was searched or given; NaN for a method without one.
        total_steps: All optimizer steps, search included.
        trained_steps: Those of them that trained the evaluated model.
        validation_passes: Those that the method needs, and the one at the end. The twelve others,
            by which the plain loop draws a curve, are the benchmark's own.
        seconds: Wall time; NaN for a replay.
        busy_seconds: Of them, inside training steps and validation.
        diverged: Whether the run was lost.
        test: Score at the end on data that no decision sees; NaN where a task has none.
    """

    final: float
    peak: float
    total_steps: int
    trained_steps: int
    validation_passes: int
    seconds: float
    busy_seconds: float
    diverged: bool
    test: float = math.nan


class Ledger:
    """Counts all steps and passes of a method.

    Attributes:
        steps: Optimizer steps, of any optimizer in this process while `counting`.
        validation_passes: Of tasks that are `watched`; a batch is its share of a pass.
        seconds: Wall time of the block.
        busy_seconds: Wall time inside training steps and watched validation.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.validation_passes = 0.0
        self.seconds = 0.0
        self.busy_seconds = 0.0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the optimizer steps and the wall time of a block."""

        def count(*_: Any) -> None:
            self.steps += 1

        handle, started = register_optimizer_step_post_hook(count), time.perf_counter()
        try:
            yield
        finally:
            handle.remove()
            self.seconds += time.perf_counter() - started

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count the time of a block as training or validation."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.busy_seconds += time.perf_counter() - started

    def watched(self, task: Task) -> Task:
        """Return the task with its validation counted and timed."""

        def validate(model: nn.Module) -> float:
            self.validation_passes += 1
            with self.busy():
                return task.validate(model)

        def monitor(_: nn.Module, batch: Batch, step: int) -> Tensor:
            self.validation_passes += 1 / len(task.validation)
            with self.busy():
                return task.monitored(batch, step)

        return dataclasses.replace(task, validate=validate, monitor=monitor)

    def outcome(
        self,
        final: float,
        peak: float,
        trained_steps: int,
        *,
        lost: bool,
        test: float = math.nan,
    ) -> Outcome:
        """Return the row for a run that ended with the validation loss ``final``."""
        return Outcome(
            final=float("inf") if lost else final,
            peak=peak,
            total_steps=self.steps,
            trained_steps=trained_steps,
            validation_passes=round(self.validation_passes),
            seconds=self.seconds,
            busy_seconds=self.busy_seconds,
            diverged=lost,
            test=math.nan if lost else test,
        )
