"""A candidate in training."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolr.candidate import Candidate
from autolr.runtime.average import Average
from autolr.runtime.snapshot import Snapshot


@dataclass
class Trunk:
    """A candidate in training.

    Attributes:
        candidate: Which one.
        factors: What the run's own rates are multiplied with, by step; shape (total_steps,).
        snapshot: Its state while it is not in place; None for the live run.
        average: The mean of its last weights, towards the end of a round.
        diverged: Whether a loss was not finite; it is not trained any further.
        annealed: Whether it is a copy that is scored as it is and thrown away.
    """

    candidate: Candidate
    factors: NDArray[np.float64]
    snapshot: Snapshot | None
    average: Average | None = None
    diverged: bool = False
    annealed: bool = False

    @property
    def state(self) -> Snapshot:
        """Its state; it is not in place."""
        assert self.snapshot is not None
        return self.snapshot

    def weights(self, forward: Callable[[], object]) -> AbstractContextManager[None]:
        """Have the weights in place that are scored, see `Average.in_place`."""
        return nullcontext() if self.average is None else self.average.in_place(forward)
