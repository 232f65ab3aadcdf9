"""The point at which `StochasticWeightAveraging` takes the rates over."""

import math

from autolr.callbacks.namespaces import Trainer
from autolr.callbacks.run_length import steps_between
from autolr.callbacks.step_count import is_manual
from autolr.callbacks.swa import max_epochs, swa_of
from autolr.errors import ConfigError
from autolr.runtime.rates import Rates, plain_rates


class Handover:
    """Hands a run's rates over to `StochasticWeightAveraging`, if the run has one.

    It anneals the optimizer's rates to its ``swa_lrs``, from what they are when it begins. From
    there on they are not multiplied.

    Args:
        trainer: A trainer that is about to train; None: of no run.

    Attributes:
        done: Whether the rates are those of `StochasticWeightAveraging`.
    """

    def __init__(self, trainer: Trainer | None = None) -> None:
        self._swa = None if trainer is None else swa_of(trainer)
        self.done = self._swa is not None and self._swa._scheduler_state is not None

    def check(self) -> None:
        """Refuse averages that begin with the first epoch: nothing can be searched before them.

        Raises:
            ConfigError: If they do.
        """
        if self._swa is not None and not self.done and self._swa.swa_start == 0:
            got = self._swa._swa_epoch_start
            raise ConfigError.of(
                "StochasticWeightAveraging's swa_epoch_start",
                got,
                "at least the second epoch: AutoLR searches before it",
            )

    def last_search_step(self, trainer: Trainer, total_steps: int) -> int:
        """Return the optimizer step by which the search has to be over.

        Args:
            trainer: The trainer.
            total_steps: Optimizer steps of the run; returned if there is no handover, or its step
                is not known.
        """
        if self._swa is None or math.isinf(trainer.num_training_batches):
            return total_steps
        if is_manual(trainer):
            return total_steps * self._swa.swa_start // max_epochs(trainer)
        return min(total_steps, steps_between(trainer, 0, self._swa.swa_start))

    def is_due(self, trainer: Trainer) -> bool:
        """Return whether `StochasticWeightAveraging` begins with the present epoch."""
        waiting = self._swa if not self.done else None
        return waiting is not None and trainer.current_epoch >= waiting.swa_start

    def hand_over(self, trainer: Trainer, rates: Rates, factor: float) -> None:
        """Make the rates of the next step the optimizer's own.

        Call it as the epoch starts, before or after the same hook of the other callback.

        Args:
            trainer: The trainer.
            rates: The rates of its optimizer.
            factor: Their factor at the next step.
        """
        assert self._swa is not None
        self.done = True
        scheduler = self._swa._swa_scheduler  # its first step leaves the rates as they are,
        if scheduler is None or self._swa._annealing_epochs:  # or is its last
            rates.factor = factor
        rates.hand_over()
        if scheduler is not None:
            (optimizer,) = trainer.optimizers
            scheduler._last_lr = plain_rates(optimizer)
