"""What the hard starts share: digits in three parts."""

from torch import Tensor

from examples.time_to_target.tasks_base import split

HELD = 320  # rows of validation, and of test


def three_way(n: int, held: int = HELD) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices of training, of validation and of test, the same for every seed."""
    train, others = split(n, 2 * held)
    return train, others[:held], others[held:]
