"""What the trials of a study hold in memory, measured on a run that has made no step."""

from collections.abc import Sequence
from dataclasses import replace

from torch.optim import Optimizer

from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.memory import RunBytes
from autolr.names import meaning
from autolr.objective.corners import corners
from autolr.online.settings import SearchSettings
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.rates import Rates
from autolr.runtime.run_bytes import run_bytes, state_bytes
from autolr.runtime.start import Setup, most_copies
from autolr.space import Range, Space


class Holding:
    """Measures the trial that holds most: by its optimizer, which may be a rule's, and its rivals.

    Args:
        space: What the trials differ in. Settings of the model that are searched are those of the
            run that is measured.
        online: Whether the first trial searches its own peak, where the space has a range of them.
    """

    def __init__(self, space: Space, *, online: bool) -> None:
        chosen = list(corners(space))
        ranges = (meaning(name) == "lr" and isinstance(d, Range) for name, d in space.parameters)
        self._is_own = any(candidate.is_own for candidate in chosen)
        self._searched = next((c.schedule for c in chosen if c.peak is None), None)
        self._searches = self._searched is not None or (online and any(ranges))
        self._states: list[int | None] = []

    def see(self, optimizers: Sequence[Optimizer]) -> None:
        """Take note of the optimizers of a rule."""
        self._states += [state_bytes(optimizer) for optimizer in optimizers]

    def measured(self, trainer: Trainer, module: LightningModule, steps: int) -> RunBytes | None:
        """Return what a trial holds; None if that is not known.

        Args:
            trainer: About to train.
            module: Its module.
            steps: Optimizer steps of a run.
        """
        held = run_bytes(module, trainer.optimizers)
        if held is None:
            return None
        states = [*self._states, *([held.optimizer] if self._is_own else [])]
        known = [state for state in states if state is not None]
        optimizer = max(known) if len(known) == len(states) else None
        return replace(held, optimizer=optimizer, rivals=self._rivals(trainer, steps))

    def _rivals(self, trainer: Trainer, steps: int) -> int:
        if not self._searches:
            return 0
        rates = Rates.of(JointOptimizer.of(trainer.optimizers))
        return most_copies(rates, Setup(SearchSettings(schedule=self._searched), steps))
