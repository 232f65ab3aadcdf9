"""The bytes that a run holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunBytes:
    """The bytes of what a run holds on each of its devices, beside activations and batches.

    Attributes:
        weights: Parameters and buffers.
        gradients: Of the parameters that training changes.
        optimizer: The optimizer's state from the first step on; None: not known before it.
        average: The averaged weights that are scored at a rung.
        rivals: The most copies of the run that the search for the peak holds; 0 without a search.
    """

    weights: int
    gradients: int
    optimizer: int | None
    average: int = 0
    rivals: int = 0

    @property
    def checkpoint(self) -> int | None:
        """The bytes of a checkpoint at a rung; None if not known.

        The search for the peak keeps its best state there.
        """
        if self.optimizer is None:
            return None
        return (1 + (self.rivals > 0)) * (self.weights + self.optimizer)

    @property
    def run(self) -> int | None:
        """The bytes of the run itself; None if not known."""
        return None if self.optimizer is None else self.weights + self.gradients + self.optimizer

    @property
    def copies(self) -> int | None:
        """The bytes of its rivals, each with its average; None if not known."""
        if self.optimizer is None:
            return None
        copy = self.weights + self.gradients + self.optimizer + self.average
        return self.rivals * copy
