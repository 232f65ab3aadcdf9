"""Passes a rule its loss, and has its averaged weights evaluated and saved."""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from torch import Tensor
from typing_extensions import override

from autolr import rules
from autolr.callbacks.namespaces import Callback, LightningModule, ModelCheckpoint, Trainer, either
from autolr.callbacks.requirements import check_optimizer, check_schedule
from autolr.callbacks.rule_loss import add_loss
from autolr.callbacks.swa import swa_of
from autolr.errors import ConfigError, UnsupportedError
from autolr.online.settings import SearchSettings
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import RuleOptimizer
from autolr.rules.switching import Switching, rule_optimizer_of

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
        return rule_optimizer_of(trainer.optimizers[0]) if trainer.optimizers else None


def check_checkpoints(trainer: Trainer) -> None:
    """Refuse checkpoints that would hold other weights than those that are evaluated.

    Raises:
        UnsupportedError: If there are any.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, either(ModelCheckpoint)) and callback.save_weights_only:
            raise UnsupportedError(
                "ModelCheckpoint(save_weights_only=True) would save the last weights, not the "
                "averages that this rule is evaluated with: leave save_weights_only out"
            )


def check_closures(trainer: Trainer, rule: str) -> None:
    """Refuse a set-up in which the optimizer of a rule cannot evaluate the loss by itself.

    Args:
        trainer: The trainer.
        rule: Its name, for the message.

    Raises:
        UnsupportedError: With gradient scaling or accumulation.
    """
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        raise UnsupportedError(
            f"{rule} evaluates the loss within its step, which a grad scaler does not let it: use "
            "precision='bf16-mixed' or 32"
        )
    if trainer.accumulate_grad_batches != 1:
        raise UnsupportedError(
            f"{rule} needs the whole batch of a step at once: leave out "
            f"accumulate_grad_batches={trainer.accumulate_grad_batches}"
        )


class RuleRaceHost(RuleHost):
    """Replaces the module's optimizer by one of several rules, where rules are searched."""

    _switching = False

    def _race_rules(
        self, trainer: Trainer, module: LightningModule, settings: SearchSettings
    ) -> None:
        """Replace the optimizer; call it before a checkpoint is restored.

        Args:
            trainer: The trainer.
            module: Its module.
            settings: What the user has set.

        Raises:
            ConfigError: If a rule's setting cannot work, or an `ApplyRule` sets a rule too.
            UnsupportedError: If the set-up is not supported.
        """
        check_optimizer(trainer, module, "AutoLR")
        check_schedule(trainer, settings.schedule, settings.candidates)
        others = {name: given for name, given in settings.rules.items() if name != OWN}
        self._switching = bool(others)
        if others:
            self._check_alone(trainer)
            _check_needs(trainer, others)
            (own,) = trainer.optimizers
            trainer.strategy.optimizers = [Switching(own, others)]

    def _check_alone(self, trainer: Trainer) -> None:
        if swa_of(trainer) is not None:
            raise UnsupportedError(
                "AutoLR(candidates=...) names rules, for whose rates the swa_lrs of "
                "StochasticWeightAveraging are not meant: use WeightAveraging"
            )
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, RuleHost) and callback is not self:
                raise ConfigError(
                    "AutoLR(candidates=...) names rules, and builds them itself: leave out "
                    f"{type(callback).__name__}"
                )

    @override
    def _rule_optimizer(self, trainer: Trainer) -> RuleOptimizer | None:
        return super()._rule_optimizer(trainer) if self._switching else None


def _check_needs(trainer: Trainer, names: Iterable[str]) -> None:
    records = [rules.record(name) for name in names]
    if any(record.averages for record in records):
        check_checkpoints(trainer)
    for record in records:
        if "closure" in record.needs:
            check_closures(trainer, record.name)
