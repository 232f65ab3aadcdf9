"""`StochasticWeightAveraging`, which takes the rates over where a search and its schedule end."""

import math

from autolr.callbacks.namespaces import (
    LightningModule,
    StochasticWeightAveraging,
    Trainer,
    WeightAveraging,
    either,
)
from autolr.errors import ConfigError
from autolr.runtime.snapshot import copied


class Handover:
    """Hands a run's rates over to `StochasticWeightAveraging`, if the run has one.

    It anneals the optimizer's own rates to its ``swa_lrs``, from what they are when it begins.
    By then they have to be those that the run steps with; after that they are not multiplied.

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
        batches = trainer.num_training_batches
        if self._swa is None or math.isinf(batches):
            return total_steps
        steps = math.ceil(batches / trainer.accumulate_grad_batches)
        return min(total_steps, self._swa.swa_start * steps)

    def is_due(self, trainer: Trainer) -> bool:
        """Return whether `StochasticWeightAveraging` begins with the present epoch."""
        waiting = self._swa if not self.done else None
        return waiting is not None and trainer.current_epoch >= waiting.swa_start

    def hand_over(self, trainer: Trainer, factor: float) -> None:
        """Set the optimizer's own rates to those of the next step.

        Call it as the epoch starts, before or after the same hook of the other callback.

        Args:
            trainer: The trainer.
            factor: The factor of the rates at the next step.
        """
        assert self._swa is not None
        self.done = True
        scheduler = self._swa._swa_scheduler  # its first step leaves the rates as they are,
        if scheduler is not None and not self._swa._annealing_epochs:  # or is its last
            return
        (optimizer,) = trainer.optimizers
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * factor
        if scheduler is not None:
            scheduler._last_lr = copied([group["lr"] for group in optimizer.param_groups])


def swa_of(trainer: Trainer) -> StochasticWeightAveraging | None:
    """Return the callback of that kind; Lightning allows one."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    averaging = (c for c in callbacks if isinstance(c, either(StochasticWeightAveraging)))
    return next(averaging, None)


def estimated_steps(trainer: Trainer) -> int | float:
    """Return ``trainer.estimated_stepping_batches`` without the epoch that only updates batch norm.

    `StochasticWeightAveraging` adds it to ``max_epochs`` as the fit begins; no step is made in it.
    """
    loop = trainer.fit_loop
    added = loop.max_epochs
    swa = swa_of(trainer)
    loop.max_epochs = getattr(swa, "_max_epochs", added)
    try:
        return trainer.estimated_stepping_batches
    finally:
        loop.max_epochs = added


def restart_averages(trainer: Trainer, module: LightningModule) -> None:
    """Restart averages of weights: another state has replaced the run's.

    An average is that state's until its callback next updates it. One that has not begun yet
    is left as it is.

    Args:
        trainer: The trainer.
        module: Its module, with the new state.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        averages = isinstance(callback, either(WeightAveraging))
        average = callback._average_model if averages else None
        if average is not None and average.n_averaged > 0:
            average.n_averaged.zero_()
            average.update_parameters(module)
            average.n_averaged.zero_()
