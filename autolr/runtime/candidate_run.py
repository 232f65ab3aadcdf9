"""A candidate in training, with its state and its average."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from autolr.runtime.average import Average
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_losses import StepLosses

if TYPE_CHECKING:
    from autolr.candidate import Candidate


@dataclass
class CandidateRun:
    """A candidate in training.

    Attributes:
        candidate: The candidate.
        factors: By step, the factors of the run's own rates; shape (total_steps,).
        snapshot: Its state while it is not in place; None for the live run.
        average: The mean of its last weights, towards the end of a round.
        diverged: Whether a loss was not finite; it is not trained any further.
        annealed: Whether it is a copy that is scored as it is and thrown away.
        highest_rate: The highest rate of its steps so far, those of the run it was copied from
            included.
        inactive: See `inactive_units`, after its last step before it is scored.
        losses: Its losses in a probe that is scored by them.
    """

    candidate: "Candidate"
    factors: NDArray[np.float64]
    snapshot: Snapshot | None
    average: Average | None = None
    diverged: bool = False
    annealed: bool = False
    highest_rate: float = 0.0
    inactive: float = 0.0
    losses: StepLosses = field(default_factory=StepLosses)

    @property
    def state(self) -> Snapshot:
        """The state of a rival."""
        assert self.snapshot is not None
        return self.snapshot

    def in_place(self) -> AbstractContextManager[None]:
        """Have its state in place for a block."""
        return nullcontext() if self.snapshot is None else self.snapshot.in_place()

    def state_dict(self, *, gradients: bool) -> dict[str, Any]:
        """Return tensors and plain containers, for `load_state_dict`."""
        snapshot, average = self.snapshot, self.average
        return {
            "candidate": self.candidate.to_dict(),
            "snapshot": None if snapshot is None else snapshot.state_dict(gradients=gradients),
            "average": None if average is None else average.state_dict(),
            "diverged": self.diverged,
            "annealed": self.annealed,
            "highest_rate": self.highest_rate,
            "losses": self.losses.to_list(),
        }

    def load_state_dict(
        self, state: Mapping[str, Any], model: nn.Module, optimizer: Optimizer
    ) -> None:
        """Take on the state of another run of the same candidate.

        Args:
            state: What `state_dict` returned; tensors are taken over.
            model: The same model.
            optimizer: The same optimizer.
        """
        if self.snapshot is not None:
            self.snapshot.load_state_dict(state["snapshot"])
        if state["average"] is not None:
            self.average = Average(model, optimizer, window=1)
            self.average.load_state_dict(state["average"])
        self.diverged = state["diverged"]
        self.highest_rate = state.get("highest_rate", 0.0)  # not stored by earlier versions
        self.losses = StepLosses(*state.get("losses", ()))  # likewise

    def applied(self, rate: float) -> None:
        """Note the rate of a step that it has made."""
        self.highest_rate = max(self.highest_rate, rate)

    def weights(self, forward: Callable[[], object]) -> AbstractContextManager[None]:
        """Have the weights in place that are scored, see `Average.in_place`."""
        return nullcontext() if self.average is None else self.average.in_place(forward)
