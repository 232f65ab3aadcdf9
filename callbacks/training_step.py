"""The module's ``training_step``, called as the Trainer calls it."""

from typing import Any

from autolr.callbacks.namespaces import LightningModule, Trainer, is_param_in_hook_signature
from autolr.callbacks.sharded import called_model


class TrainingStep:
    """Calls the ``training_step`` of a module.

    Args:
        trainer: The trainer.
        module: Its module.
    """

    def __init__(self, trainer: Trainer, module: LightningModule) -> None:
        self._trainer = trainer
        self._module = module
        self._takes_index = is_param_in_hook_signature(
            module.training_step, "batch_idx", min_args=2
        )

    def __call__(self, batch: Any, batch_idx: int) -> Any:
        """Return what it returns, by way of the Trainer's strategy.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        return self._trainer.strategy.training_step(*self._arguments(batch, batch_idx))

    def alone(self, batch: Any, batch_idx: int) -> Any:
        """Return what it returns on this rank, without a wrapper that averages gradients.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        if called_model(self._trainer) is not self._module:
            return self(batch, batch_idx)
        with self._trainer.precision_plugin.train_step_context():
            return self._module.training_step(*self._arguments(batch, batch_idx))

    def _arguments(self, batch: Any, batch_idx: int) -> tuple[Any, ...]:
        return (batch, batch_idx) if self._takes_index else (batch,)
