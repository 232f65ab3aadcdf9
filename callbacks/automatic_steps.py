"""Steps of a module that leaves backward passes and its optimizer to the Trainer."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autolr.callbacks.namespaces import ClosureResult, LightningModule, Trainer
from autolr.callbacks.rule_loss import add_loss
from autolr.callbacks.training_step import TrainingStep
from autolr.runtime.compiled import beside
from autolr.runtime.failures import agreed

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from autolr.runtime.collectives import Ranks


class AutomaticSteps:
    """Trains the state in place as the Trainer does with automatic optimization.

    Args:
        trainer: The trainer.
        module: Its module.
        ranks: The processes that train the run together.
    """

    def __init__(self, trainer: Trainer, module: LightningModule, ranks: "Ranks") -> None:
        self._trainer = trainer
        self._module = module
        self._ranks = ranks
        self._training_step = TrainingStep(trainer, module)
        self._optimizer: Optimizer = trainer.optimizers[0]

    def remember(self) -> None:
        """Note what the live run begins a batch with; nothing is needed."""

    @contextmanager
    def as_live(self, *, stepped: bool) -> Iterator[None]:
        """Set ``trainer.global_step`` for a block to its value when the live run made the step.

        Args:
            stepped: Whether it made one.
        """
        optimization = self._trainer.fit_loop.epoch_loop.automatic_optimization
        made = optimization.optim_progress.optimizer.step.total
        made.completed -= stepped
        try:
            yield
        finally:
            made.completed += stepped

    def train(self, batch: Any, batch_idx: int, *, stepped: bool) -> Tensor | None:
        """Train on a batch; return the loss.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
            stepped: Whether the optimizer steps, or gradients are accumulated.
        """
        if stepped:
            return self._step(batch, batch_idx)
        with self._unsynchronized():
            return self.gradients(batch, batch_idx)

    def trial(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Make an optimizer step on a batch; return the loss.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        accumulated = self._trainer.accumulate_grad_batches
        self._trainer.accumulate_grad_batches = 1
        try:
            return self._step(batch, batch_idx)
        finally:
            self._trainer.accumulate_grad_batches = accumulated

    @torch.enable_grad()
    def gradients(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Compute gradients on a batch; return the loss.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        module, trainer = self._module, self._trainer
        loss = agreed(self._ranks, lambda: self._scaled_loss(batch, batch_idx))
        begins = batch_idx % trainer.accumulate_grad_batches == 0
        if begins:
            module.on_before_zero_grad(self._optimizer)
            module.optimizer_zero_grad(trainer.current_epoch, batch_idx, self._optimizer)
        if loss is None:
            return None
        add_loss(self._optimizer, loss, begins=begins)
        trainer.strategy.backward(loss, self._optimizer)
        return loss.detach() * trainer.accumulate_grad_batches

    @torch.no_grad()
    def loss(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Return the loss of the state in place on a batch of this rank.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        output = self._training_step.alone(batch, batch_idx)
        return ClosureResult.from_training_step_output(output).closure_loss

    def _step(self, batch: Any, batch_idx: int) -> Tensor | None:
        losses: list[Tensor | None] = []

        def closure() -> Tensor | None:
            losses.append(self.gradients(batch, batch_idx))
            return losses[-1]

        stepper: Any = self._trainer.strategy._lightning_optimizers[0]
        left = beside(self._optimizer, closure)
        self._module.optimizer_step(self._trainer.current_epoch, batch_idx, stepper, left)
        return losses[-1] if losses else None

    def _scaled_loss(self, batch: Any, batch_idx: int) -> Tensor | None:
        output = self._training_step(batch, batch_idx)
        accumulated = self._trainer.accumulate_grad_batches
        return ClosureResult.from_training_step_output(output, accumulated).closure_loss

    def _unsynchronized(self) -> AbstractContextManager[None]:
        """Accumulate gradients of this rank alone, as the Trainer does before the last batch."""
        block = getattr(self._trainer.strategy, "block_backward_sync", nullcontext)
        return block()
