"""Checks of a set-up for the optimizer of a rule."""

from autolr.callbacks.namespaces import ModelCheckpoint, Trainer, either
from autolr.errors import UnsupportedError


def check_checkpoints(
    trainer: Trainer, evaluated: str = "the averages that this rule is evaluated with"
) -> None:
    """Refuse checkpoints that would hold other weights than those that are evaluated.

    Args:
        trainer: The trainer.
        evaluated: The weights that are, for the message.

    Raises:
        UnsupportedError: If there are any.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, either(ModelCheckpoint)) and callback.save_weights_only:
            raise UnsupportedError(
                "ModelCheckpoint(save_weights_only=True) would save the last weights, not "
                f"{evaluated}: leave save_weights_only out"
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
