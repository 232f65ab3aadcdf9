"""A Lightning run as a `Learner`: the present step repeated on another state."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from autolr.callbacks.batches import own_copy
from autolr.callbacks.namespaces import (
    ClosureResult,
    LightningModule,
    Trainer,
    is_overridden,
    is_param_in_hook_signature,
)
from autolr.callbacks.quiet import drop, quiet
from autolr.callbacks.rule_loss import add_loss
from autolr.callbacks.validation import ValidationPass
from autolr.online.monitor import Monitor
from autolr.runtime.batch_norm import batch_norms
from autolr.runtime.ddp_wrapper import DDPWrapper
from autolr.runtime.evaluation import mean
from autolr.runtime.failures import agreed
from autolr.runtime.learner import RECENT
from autolr.runtime.plain import is_plain, packed, size, unpacked
from autolr.runtime.score import Score

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from autolr.runtime.collectives import Ranks
    from autolr.runtime.stateful import Stateful

_STORED_BYTES = 64 * 2**20  # of the last batches in a checkpoint, at most: a choice


class LightningLearner:
    """Repeats the Trainer's last step on another state; nothing of that reaches the Trainer.

    Backward, gradient clipping and the optimizer's step use the Trainer's strategy and precision
    plugin, with the module's own hooks; no callback is called, and what is logged is dropped.

    Args:
        trainer: A trainer that has begun to fit with automatic optimization.
        module: Its module.
        validation: Its validation, by the processes that train the run together.
        monitor: What scores a state: a metric that validation logs, or the training loss.

    Attributes:
        has_batch_end: Whether the module has an ``on_train_batch_end`` that rivals have to go
            through too.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        validation: ValidationPass,
        monitor: Monitor,
    ) -> None:
        self.model = module
        self.ranks: Ranks = validation.ranks
        self.optimizer: Optimizer = trainer.optimizers[0]
        scaler: Stateful | None = getattr(trainer.precision_plugin, "scaler", None)
        self.extras = () if scaler is None else (scaler,)
        self.validation = validation
        self.has_batch_end = is_overridden("on_train_batch_end", module)
        synchronized = any(isinstance(part, nn.SyncBatchNorm) for part in module.modules())
        self._agrees = self.ranks.size > 1 and not synchronized  # ranks wait within those
        self._wrapper = DDPWrapper(trainer.strategy.model)
        self.monitor = monitor
        self._trainer = trainer
        self._batch: Any = None
        self._batch_idx = 0
        count = RECENT if batch_norms(module) or not self.validation.exists else 0
        self._recent = deque[tuple[Any, int]](maxlen=count)
        self._stepped = False
        self._outputs: Tensor | Mapping[str, Any] | None = None
        self._takes_index = is_param_in_hook_signature(
            module.training_step, "batch_idx", min_args=2
        )

    def set_batch(self, batch: Any, batch_idx: int) -> None:
        """Set the batch on which the live run is about to train; a copy is kept.

        A hook may change the batch itself.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        self._batch, self._batch_idx, self._outputs = own_copy(batch), batch_idx, None
        self._recent.append((self._batch, batch_idx))
        self._wrapper.remember()

    @contextmanager
    def first_batch(self, batch: Any, batch_idx: int) -> Iterator[None]:
        """Set the first batch of the run for a block, before the live run trains on it.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        self.set_batch(batch, batch_idx)
        yield
        self._recent.clear()

    def set_outputs(self, outputs: Tensor | Mapping[str, Any] | None, *, stepped: bool) -> None:
        """Set the outcome of the live run's step.

        Args:
            outputs: What its training step returned.
            stepped: Whether its optimizer stepped.
        """
        self._outputs, self._stepped = outputs, stepped
        self._wrapper.release_gradients()

    def state_dict(self) -> dict[str, Any]:
        """Return the last batches, where they are plain, and small enough for a checkpoint."""
        recent = [list(seen) for seen in self._recent]
        ended = [self._batch, self._batch_idx, self._outputs] if self.has_batch_end else None
        return {"recent": _stored(recent), "ended": _stored(ended)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on what `state_dict` returned; without batches they are those to come."""
        state = unpacked(dict(state), self.model.device)
        self._recent.extend((batch, batch_idx) for batch, batch_idx in state["recent"] or [])
        if state["ended"] is not None:
            self._batch, self._batch_idx, self._outputs = state["ended"]

    def end_batch(self) -> None:
        """Call the module's ``on_train_batch_end`` for the present batch, on the state in place.

        It is due when the live run's own has been called: as the next batch begins.
        """
        if self._outputs is not None:
            with self._unnoticed():
                outputs: Any = self._outputs
                self.model.on_train_batch_end(outputs, own_copy(self._batch), self._batch_idx)

    def train(self) -> Tensor | None:
        """Train the state in place on the present batch; see `Learner`."""
        with self._unnoticed(), self._live_step_count(), self._wrapper.repeated():
            batch = own_copy(self._batch)  # a hook may change it for the step, which may again
            self.model.on_train_batch_start(batch, self._batch_idx)
            if self._stepped:
                return self._step(batch)
            with self._unsynchronized():
                return self._forward_backward(batch)

    def trial_step(self) -> Tensor | None:
        """Train the state in place on a batch to come; see `Learner`."""
        accumulated = self._trainer.accumulate_grad_batches
        self._trainer.accumulate_grad_batches = 1
        try:
            with self._unnoticed(), self._wrapper.repeated():
                batch = own_copy(self._batch)
                self.model.on_train_batch_start(batch, self._batch_idx)
                return self._step(batch)
        finally:
            self._trainer.accumulate_grad_batches = accumulated

    def trial_gradients(self) -> Tensor | None:
        """Compute gradients on a batch to come; see `Learner`."""
        with self._unnoticed(), self._wrapper.repeated():
            batch = own_copy(self._batch)
            self.model.on_train_batch_start(batch, self._batch_idx)
            return self._forward_backward(batch)

    def _step(self, batch: Any) -> Tensor | None:
        losses: list[Tensor | None] = []

        def closure() -> Tensor | None:
            losses.append(self._forward_backward(batch))
            return losses[-1]

        stepper: Any = self._trainer.strategy._lightning_optimizers[0]
        epoch = self._trainer.current_epoch
        self.model.optimizer_step(epoch, self._batch_idx, stepper, closure)
        return losses[-1] if losses else None

    def validate(self) -> Score | None:
        """Score the state in place; see `Learner`."""
        if not self.validation.exists:
            return None
        self._wrapper.share_buffers()
        name, score = self.monitor.name, self.monitor.score
        value = self.validation.logged(name)[name]
        return Score(score(value), tuple(map(score, self.validation.by_batch.get(name, ()))))

    @torch.no_grad()
    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        with self._unnoticed():
            return mean(self.ranks.gather(self._recent_loss))

    def _recent_loss(self) -> float:
        losses = []
        for batch, batch_idx in self._recent:
            with self._trainer.precision_plugin.train_step_context():
                output = self.model.training_step(*self._arguments(own_copy(batch), batch_idx))
            loss = ClosureResult.from_training_step_output(output).closure_loss
            losses += [] if loss is None else [float(loss)]
        return mean(losses)

    @torch.enable_grad()
    def _forward_backward(self, batch: Any) -> Tensor | None:
        module, trainer = self.model, self._trainer
        loss = agreed(self.ranks, lambda: self._loss(batch)) if self._agrees else self._loss(batch)
        begins = self._batch_idx % trainer.accumulate_grad_batches == 0
        if begins:
            module.on_before_zero_grad(self.optimizer)
            module.optimizer_zero_grad(trainer.current_epoch, self._batch_idx, self.optimizer)
        if loss is None:
            return None
        add_loss(self.optimizer, loss, begins=begins)
        trainer.strategy.backward(loss, self.optimizer)
        return loss.detach() * trainer.accumulate_grad_batches

    def _loss(self, batch: Any) -> Tensor | None:
        output = self._trainer.strategy.training_step(*self._arguments(batch, self._batch_idx))
        return ClosureResult.from_training_step_output(
            output, self._trainer.accumulate_grad_batches
        ).closure_loss

    def _arguments(self, batch: Any, batch_idx: int) -> tuple[Any, ...]:
        return (batch, batch_idx) if self._takes_index else (batch,)

    def _unnoticed(self) -> AbstractContextManager[None]:
        """Use the Trainer's own methods, with silent loggers and callbacks."""
        return quiet(self._trainer, self.model, drop)

    def _unsynchronized(self) -> AbstractContextManager[None]:
        """Accumulate gradients of this rank alone, as the Trainer does before the last batch."""
        block = getattr(self._trainer.strategy, "block_backward_sync", nullcontext)
        return block()

    @contextmanager
    def _live_step_count(self) -> Iterator[None]:
        """Set ``trainer.global_step`` for a block to its value when the live run made the step."""
        optimization = self._trainer.fit_loop.epoch_loop.automatic_optimization
        made = optimization.optim_progress.optimizer.step.total
        made.completed -= self._stepped
        try:
            yield
        finally:
            made.completed += self._stepped


def _stored(batches: Any) -> Any:
    return packed(batches) if is_plain(batches) and size(batches) <= _STORED_BYTES else None
