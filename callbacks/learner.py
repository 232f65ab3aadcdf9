"""A Lightning run as a `Learner`: the present step repeated on another state."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature
from torch import Tensor
from torch.optim import Optimizer

from autolr.callbacks.validation import ValidationPass, quiet


class LightningLearner:
    """Repeats what the Trainer has just done with a batch, without the Trainer noticing.

    The module's own hooks around backward and the optimizer's step are called, as are
    gradient clipping and the precision's context; what it logs is dropped.

    Args:
        trainer: A trainer that has begun to fit with automatic optimization.
        module: Its module.
        monitor: The logged metric that scores a state.
        mode: Whether lower ("min") or higher ("max") is better.
    """

    def __init__(self, trainer: Trainer, module: LightningModule, monitor: str, mode: str) -> None:
        self.model = module
        self.optimizer: Optimizer = trainer.optimizers[0]
        self.validation = ValidationPass(trainer, module)
        self._trainer = trainer
        self._monitor = monitor
        self._sign = 1.0 if mode == "min" else -1.0
        self._batch: Any = None
        self._batch_idx = 0
        self._stepped = False

    def set_batch(self, batch: Any, batch_idx: int, *, stepped: bool) -> None:
        """Say on which batch the live run has just trained, and whether its optimizer stepped."""
        self._batch, self._batch_idx, self._stepped = batch, batch_idx, stepped

    def train(self) -> Tensor | None:
        """Train the state in place on the present batch; see `Learner`."""
        with quiet(self._trainer, self.model, _drop):
            if not self._stepped:
                return self._forward_backward()
            losses: list[Tensor | None] = []

            def closure() -> Tensor | None:
                losses.append(self._forward_backward())
                self.model.on_before_optimizer_step(self.optimizer)
                self.model.configure_gradient_clipping(
                    self.optimizer,
                    gradient_clip_val=self._trainer.gradient_clip_val,
                    gradient_clip_algorithm=self._trainer.gradient_clip_algorithm,
                )
                return losses[-1]

            self.model.optimizer_step(
                self._trainer.current_epoch, self._batch_idx, self.optimizer, closure
            )
            return losses[-1] if losses else None

    def validate(self) -> float | None:
        """Score the state in place; see `Learner`."""
        if not self.validation.exists:
            return None
        return self._sign * self.validation.run()[self._monitor]

    @torch.enable_grad()
    def _forward_backward(self) -> Tensor | None:
        module, trainer = self.model, self._trainer
        with trainer.precision_plugin.train_step_context():
            output = module.training_step(*self._arguments())
        loss = output.get("loss") if isinstance(output, dict) else output
        if self._batch_idx % trainer.accumulate_grad_batches == 0:
            module.on_before_zero_grad(self.optimizer)
            module.optimizer_zero_grad(trainer.current_epoch, self._batch_idx, self.optimizer)
        if not isinstance(loss, Tensor):
            return None
        scaled = loss / trainer.accumulate_grad_batches
        module.on_before_backward(scaled)
        module.backward(scaled)
        module.on_after_backward()
        return loss.detach()

    def _arguments(self) -> tuple[Any, ...]:
        takes_index = is_param_in_hook_signature(
            self.model.training_step, "batch_idx", min_args=2
        )
        return (self._batch, self._batch_idx) if takes_index else (self._batch,)


def _drop(*_: Any, **__: Any) -> None:
    """Take what a module logs and forget it."""
