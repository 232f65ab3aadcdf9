"""Passes a rule its loss, and has its averaged weights evaluated and saved."""

from contextlib import ExitStack
from typing import Any

from torch import Tensor
from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.rule_loss import add_loss
from autolr.rules.optimizer import RuleOptimizer
from autolr.rules.switching import rule_optimizer_of

_LIVE = "autolr_live_state_dict"


class RuleHost(Callback):
    """Passes the active rule the whole loss of a step; its averages are evaluated and saved."""

    _validating: ExitStack | None = None

    @override
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        stepping = self._rule_optimizer(trainer)
        if stepping is None:
            return
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        value = loss if scaler is None else loss / scaler.get_scale()
        batch_idx = trainer.fit_loop.epoch_loop.batch_idx
        add_loss(stepping, value, begins=batch_idx % trainer.accumulate_grad_batches == 0)

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        stepping = self._rule_optimizer(trainer)
        if stepping is not None:
            self._validating = ExitStack()
            self._validating.enter_context(stepping.averaged())

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._validated()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        stepping = self._rule_optimizer(trainer)
        if stepping is not None:
            stepping.take_averages()

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        stepping = self._rule_optimizer(trainer)
        if stepping is not None and stepping.rule.averaging:
            checkpoint[_LIVE] = checkpoint["state_dict"]
            with stepping.averaged():
                checkpoint["state_dict"] = trainer.strategy.lightning_module_state_dict()

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if _LIVE in checkpoint:
            pl_module.load_state_dict(checkpoint[_LIVE])

    def _validated(self) -> None:
        """Activate the weights in training again after validation."""
        if self._validating is not None:
            self._validating.close()
            self._validating = None

    def _rule_optimizer(self, trainer: Trainer) -> RuleOptimizer | None:
        """Return the optimizer of a rule of this package; None for any other optimizer."""
        alone = len(trainer.optimizers) == 1
        return rule_optimizer_of(trainer.optimizers[0]) if alone else None
