"""The length of a run in optimizer steps."""

import math

from autolr.callbacks.namespaces import (
    Trainer,
    rank_zero_warn,
)
from autolr.callbacks.swa import estimated_steps
from autolr.errors import UnsupportedError

_LIGHTNINGS_EPOCHS = 1000  # the default of a Trainer without max_epochs and max_steps


def total_steps(trainer: Trainer, who: str) -> int:
    """Return the optimizer steps of the run.

    Args:
        trainer: The trainer.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: If the run has no end, or none that is known beforehand.
    """
    steps = estimated_steps(trainer)
    if 0 <= steps < math.inf:
        return int(steps)
    if math.isinf(trainer.num_training_batches):
        raise UnsupportedError(
            f"{who} needs a run with an end, and the training data has no length: set max_steps"
        )
    raise UnsupportedError(f"{who} needs a run with an end: set max_steps or max_epochs")


def warn_of_default_length(trainer: Trainer, steps: int) -> None:
    """Warn where the run has the length that Lightning gives it by default.

    Args:
        trainer: The trainer.
        steps: Optimizer steps of the run.
    """
    if trainer.max_epochs == _LIGHTNINGS_EPOCHS and trainer.max_steps == -1:
        rank_zero_warn(
            f"AutoLR: the search and the schedule are laid out for max_epochs={trainer.max_epochs},"
            f" {steps} steps; that is Lightning's default: if the run is shorter, set max_epochs"
        )
