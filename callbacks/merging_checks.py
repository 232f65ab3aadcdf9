"""Checks of a set-up for merged checkpoints."""

from autolr.callbacks.namespaces import (
    Callback,
    DDPStrategy,
    SingleDeviceStrategy,
    StochasticWeightAveraging,
    Trainer,
    WeightAveraging,
    either,
)
from autolr.callbacks.rule_checks import check_checkpoints
from autolr.errors import UnsupportedError
from autolr.rules.switching import rule_optimizer_of


def check_merging(trainer: Trainer, merging: Callback) -> None:
    """Refuse sharded weights, and another callback that replaces what is validated or saved.

    Args:
        trainer: The trainer.
        merging: The callback that merges.

    Raises:
        UnsupportedError: With the reason.
    """
    if not isinstance(trainer.strategy, (*either(SingleDeviceStrategy), *either(DDPStrategy))):
        raise UnsupportedError(
            "MergeCheckpoints supports one device and strategy='ddp', not "
            f"{type(trainer.strategy).__name__}"
        )
    check_last_word(trainer, merging)
    check_checkpoints(trainer, "the merge that is validated")


def check_last_word(trainer: Trainer, replacing: Callback) -> None:
    """Refuse another callback that replaces the weights with which the run ends.

    Args:
        trainer: The trainer.
        replacing: The callback that does so.

    Raises:
        UnsupportedError: If there is one.
    """
    averaging = (*either(WeightAveraging), *either(StochasticWeightAveraging))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, averaging) and callback is not replacing:
            raise UnsupportedError(_both(replacing, type(callback).__name__))


def check_averaging(trainer: Trainer, replacing: Callback) -> None:
    """Refuse a rule that evaluates averages of its own.

    Args:
        trainer: The trainer, about to train.
        replacing: The callback that replaces the weights with which the run ends.

    Raises:
        UnsupportedError: If the run's optimizer is one.
    """
    for optimizer in trainer.optimizers:
        stepping = rule_optimizer_of(optimizer)
        if stepping is not None and stepping.rule.averaging:
            raise UnsupportedError(_both(replacing, f"the rule {type(stepping.rule).__name__}"))


def _both(replacing: Callback, other: str) -> str:
    return (
        f"{type(replacing).__name__} and {other} both replace the weights that are validated and "
        "saved: leave one of them out"
    )
