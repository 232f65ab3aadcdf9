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
    averaging = (*either(WeightAveraging), *either(StochasticWeightAveraging))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, averaging) and callback is not merging:
            raise UnsupportedError(
                f"MergeCheckpoints and {type(callback).__name__} both replace the weights that are "
                "validated and saved: leave one of them out"
            )
    check_checkpoints(trainer, "the merge that is validated")


def check_averaging(trainer: Trainer) -> None:
    """Refuse a rule that evaluates averages of its own.

    Raises:
        UnsupportedError: If the run's optimizer is one.
    """
    for optimizer in trainer.optimizers:
        stepping = rule_optimizer_of(optimizer)
        if stepping is not None and stepping.rule.averaging:
            raise UnsupportedError(
                f"MergeCheckpoints and the rule {type(stepping.rule).__name__} both replace the "
                "weights that are validated and saved: leave one of them out"
            )
