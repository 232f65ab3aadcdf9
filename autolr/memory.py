"""The bytes that a run holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunBytes:
    """The bytes of what a run holds on each of its devices, beside activations and batches.

    Attributes:
        weights: Parameters and buffers.
        changed: Those of them that training changes: a copy of the run shares the others with it.
        gradients: Of the parameters.
        optimizer: The optimizer's state from the first step on; None: not known before it.
        average: The averaged weights by which a run is scored.
        rivals: The most copies of the run that the search for the peak holds; 0 without a search.
    """

    weights: int
    changed: int
    gradients: int
    optimizer: int | None
    average: int = 0
    rivals: int = 0

    @property
    def run(self) -> int | None:
        """The bytes of the run itself; None if not known."""
        return None if self.optimizer is None else self.weights + self.gradients + self.optimizer

    @property
    def copies(self) -> int | None:
        """The bytes of its rivals, and of an average of each and of the run; None if not known."""
        if self.optimizer is None or self.rivals == 0:
            return None if self.rivals else 0
        copy = self.changed + self.gradients + self.optimizer + self.average
        return self.rivals * copy + self.average

    @property
    def checkpoint(self) -> int | None:
        """The bytes of a checkpoint at a rung; None if not known.

        Of a run that searches for its peak the best state is there too, and while there are rivals
        theirs, which are not counted.
        """
        if self.optimizer is None:
            return None
        best = self.changed + self.optimizer + self.average if self.rivals else 0
        return self.weights + self.optimizer + best
