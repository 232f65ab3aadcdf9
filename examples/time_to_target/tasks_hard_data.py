"""What the hard starts share: rows in three parts, and the parts of a task of classes."""

from typing import Any

from torch import Tensor

from examples.time_to_target.tasks_base import (
    Batch,
    Parts,
    cross_entropy,
    evaluator,
    sampler,
    split,
)

HELD = 320  # rows of validation, and of test


def three_way(n: int, held: int = HELD) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices of training, of validation and of test, the same for every seed."""
    train, others = split(n, 2 * held)
    return train, others[:held], others[held:]


def of_classes(x: Tensor, y: Tensor, size: int, seed: int, held: int = HELD) -> dict[str, Any]:
    """Return what a `Task` needs to tell classes apart: batches, losses, validation and test.

    Args:
        x: Inputs, a row each.
        y: The class of each row.
        size: Rows of a batch.
        seed: Of the order of the batches.
        held: Rows of validation, and of test.
    """
    train, val, test = three_way(len(x), held)
    indices = sampler(len(train), size, seed)

    def batch(i: int) -> Batch:
        rows = train[indices(i)]
        return x[rows], y[rows]

    return {
        "batch": batch,
        "loss": cross_entropy,
        "validate": evaluator(cross_entropy, (x[val], y[val])),
        "validation": Parts((x[val], y[val]), 8),
        "test": evaluator(cross_entropy, (x[test], y[test])),
    }
