"""How often a run with manual optimization steps, counted in pure code."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StepTally:
    """The batches of a run and those of them in which an optimizer has stepped: its steps.

    One batch may have several optimizer steps, as in a GAN or in PPO, or none, while gradients are
    accumulated. All rates follow the schedule by steps.

    Attributes:
        batches: Batches so far.
        steps: Those of them in which at least one optimizer has stepped.
        optimizer_steps: What the Trainer counts against ``max_steps``.
        first: The number of the first batch with a step, from 0; -1: there is none yet.
        last: That of the last one.
        epoch_batches: Batches of all epochs before the present one.
        epoch_steps: Steps in them.
    """

    batches: int = 0
    steps: int = 0
    optimizer_steps: int = 0
    first: int = -1
    last: int = -1
    epoch_batches: int = 0
    epoch_steps: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether it shows in which batches the run steps: in each, or in one of some."""
        return self.steps > 1 or (self.steps == 1 and self.first > 0)

    def after(self, *, stepped: bool, optimizer_steps: int) -> "StepTally":
        """Return the tally with one more batch.

        Args:
            stepped: Whether an optimizer has stepped.
            optimizer_steps: How many steps the Trainer has counted.
        """
        return replace(
            self,
            batches=self.batches + 1,
            steps=self.steps + stepped,
            optimizer_steps=self.optimizer_steps + optimizer_steps,
            first=self.batches if stepped and self.first < 0 else self.first,
            last=self.batches if stepped else self.last,
        )

    def in_next_epoch(self) -> "StepTally":
        """Return the tally as an epoch begins."""
        return replace(self, epoch_batches=self.batches, epoch_steps=self.steps)

    def steps_in(self, batches: float) -> float:
        """Return the steps of a run of so many batches, if it continues as it did.

        Args:
            batches: From the first batch of the run on; infinite if that is not known.
        """
        if math.isinf(batches):
            return math.inf
        if self.epoch_batches:
            share = self.epoch_steps / self.epoch_batches  # the same all through an epoch
            return self.epoch_steps + round((batches - self.epoch_batches) * share)
        period: float = max(self.first + 1, self.batches - self.last)
        if self.steps > 1:
            period = (self.last - self.first) / (self.steps - 1)
        return self.steps + math.floor((batches - self.last - 1) / period + 1e-9)

    def steps_until(self, max_steps: int) -> float:
        """Return the steps of a run that ends when so many optimizer steps are made.

        Args:
            max_steps: The limit of the Trainer; -1: none.
        """
        if max_steps < 0 or (self.steps and not self.optimizer_steps):
            return math.inf
        a_step = self.optimizer_steps / self.steps if self.steps else 1.0
        return self.steps + math.ceil((max_steps - self.optimizer_steps) / a_step)
