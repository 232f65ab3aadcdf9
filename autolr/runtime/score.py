"""The score of a state, and its parts by validation batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a state; lower is better.

    Attributes:
        value: The score.
        by_batch: Those of the validation batches, in their order, whose mean it is up to the sizes
            of the batches; empty where the metric has none.
    """

    value: float
    by_batch: tuple[float, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Any]) -> Self:
        """Return the score of which these are the value and that by batch, as plain values."""
        value, by_batch = parts
        return cls(value, tuple(by_batch))
