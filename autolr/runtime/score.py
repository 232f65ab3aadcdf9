"""The score of a state, and its parts by validation batch."""

from dataclasses import dataclass


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
