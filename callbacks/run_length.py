"""The length of a run in optimizer steps."""

import math
from collections.abc import Iterable
from typing import Any

from autolr.callbacks.manual_length import look_of, manual_steps
from autolr.callbacks.namespaces import (
    GradientAccumulationScheduler,
    Trainer,
    either,
    rank_zero_info,
    rank_zero_warn,
)
from autolr.callbacks.step_count import StepCount
from autolr.callbacks.step_tally import StepTally
from autolr.callbacks.swa import max_epochs
from autolr.counted import counted
from autolr.errors import ConfigError, UnsupportedError
from autolr.schedules import Schedule

_ROUNDING = (
    0.02  # of a length that follows from the steps so far: within it there is nothing to say
)
_LIGHTNINGS_EPOCHS = 1000  # the default of a Trainer without max_epochs and max_steps


class RunLength:
    """The optimizer steps of a run, planned anew as each epoch begins.

    What an epoch has is known when it begins: a loader that is made anew may have grown, gradients
    may be accumulated over other numbers of batches, the limits of the Trainer may have changed.
    With manual optimization a step is a batch in which any optimizer steps, see `StepCount`; how
    many there will be follows from those so far.

    Args:
        trainer: A trainer that is about to train.
        who: The name of our callback, for the messages.
        count: The steps that the run has made.

    Attributes:
        count: As given.
        steps: Optimizer steps of the run, as far as it is known now.

    Raises:
        UnsupportedError: As `total_steps`.
    """

    def __init__(self, trainer: Trainer, who: str, count: StepCount) -> None:
        self.count = count
        self._seen: StepTally | None = None
        self._who = who
        self.steps = self._planned(trainer)
        self._known = self._depends(trainer)
        self._said = self._warned = False

    def foresee(self, trainer: Trainer, seen: StepTally) -> None:
        """Plan a run that has just begun by what a copy of it has shown.

        Args:
            trainer: The trainer.
            seen: How often the copy has stepped.
        """
        self._seen = seen
        self.steps = self._planned(trainer)

    def renew(self, trainer: Trainer, batch_idx: int, schedules: Iterable[Schedule] = ()) -> bool:
        """Plan the rest of the run; return whether its length has changed.

        Call it with each batch, when all hooks of an epoch's start have run. The length stays where
        the new one is not known, or a schedule does not fit into it.

        Args:
            trainer: The trainer.
            batch_idx: The index of the batch in the epoch.
            schedules: What would be laid out over another length.
        """
        if batch_idx and not self.count.manual:
            return False
        known, self._known = self._known, self._depends(trainer)
        if self._known == known:  # an epoch that its module cuts short does not count
            return False
        before = self.steps
        try:
            self.steps = self._planned(trainer)
            for schedule in schedules:
                schedule.values(self.steps)
        except ConfigError as error:
            self.steps = before
            self._warn_of_old_length(trainer, error)
            return False
        self._say(trainer, before)
        return self.steps != before

    def is_about(self, steps: int) -> bool:
        """Return whether a run of so many steps has the length of this one, as far as is known.

        Args:
            steps: The length of the other one.
        """
        return abs(steps - self.steps) <= (_ROUNDING * steps if self.count.manual else 0)

    def _planned(self, trainer: Trainer) -> int:
        if not self.count.manual:
            return total_steps(trainer, self._who)
        steps = manual_steps(trainer, self.count.tally, self._seen)
        return int(steps) if math.isfinite(steps) else total_steps(trainer, self._who)

    def _depends(self, trainer: Trainer) -> tuple[object, ...]:
        """Return what the plan depends on."""
        return (*_epochs(trainer), *(look_of(self.count.tally) if self.count.manual else ()))

    def _say(self, trainer: Trainer, before: int) -> None:
        if self._said or self.is_about(before):
            return
        self._said = True
        why = (
            "so many batches step" if self.count.manual else "epochs have other lengths than before"
        )
        rank_zero_info(
            f"{self._who}: from {self._now(trainer)} on the run has {counted(self.steps, 'step')}, "
            f"not {before}: {why}; its schedule is laid out over the new length, whenever that "
            "changes"
        )

    def _warn_of_old_length(self, trainer: Trainer, error: ConfigError) -> None:
        if not self._warned:
            why = "fewer batches step" if self.count.manual else "epochs have other lengths"
            rank_zero_warn(
                f"{self._who}: from {self._now(trainer)} on {why}; "
                f"the schedule stays laid out over {counted(self.steps, 'step')}: {error}"
            )
        self._warned = True

    def _now(self, trainer: Trainer) -> str:
        made = self.count.made
        return f"step {made}" if self.count.manual else f"epoch {trainer.current_epoch}"


def total_steps(trainer: Trainer, who: str) -> int:
    """Return the optimizer steps of the run: those made and those to come.

    Args:
        trainer: The trainer.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: If the run has no end, or none that is known beforehand.
    """
    limit = trainer.max_steps
    if (epochs := max_epochs(trainer)) < 0 or math.isinf(trainer.num_training_batches):
        if limit >= 0:
            return limit
        if math.isinf(trainer.num_training_batches):
            raise UnsupportedError(
                f"{who} needs a run with an end, and the training data has no length: set max_steps"
            )
        raise UnsupportedError(f"{who} needs a run with an end: set max_steps or max_epochs")
    made, epoch = _made_before_epoch(trainer)
    steps = made + steps_between(trainer, epoch, max(epochs, 1))
    return steps if limit < 0 else min(steps, limit)


def steps_between(trainer: Trainer, first: int, end: int) -> int:
    """Return the optimizer steps of some epochs, if they have as many batches as the present one.

    The Trainer steps with the last batch of an epoch too, however few gradients it has by then.

    Args:
        trainer: The trainer, whose training data has a length.
        first: The first of the epochs.
        end: The one behind the last of them.
    """
    batches = trainer.num_training_batches
    if _accumulation_scheduler(trainer) is None:
        return max(0, end - first) * math.ceil(batches / trainer.accumulate_grad_batches)
    accumulated = (accumulation_in(trainer, epoch) for epoch in range(first, end))
    return sum(math.ceil(batches / over) for over in accumulated)


def accumulation_in(trainer: Trainer, epoch: int) -> int:
    """Return over how many batches gradients are accumulated in an epoch.

    Args:
        trainer: The trainer.
        epoch: The epoch.
    """
    scheduler = _accumulation_scheduler(trainer)
    if scheduler is None:
        return trainer.accumulate_grad_batches
    return int(scheduler.get_accumulate_grad_batches(epoch))


def reloads(trainer: Trainer) -> bool:
    """Return whether training data is made anew in the run: then it may grow or shrink."""
    return bool(trainer.reload_dataloaders_every_n_epochs)  # type: ignore[attr-defined]


def warn_of_default_length(trainer: Trainer, steps: int) -> None:
    """Warn where the run has the length that Lightning gives it by default.

    Args:
        trainer: The trainer.
        steps: Optimizer steps of the run.
    """
    if trainer.max_epochs == _LIGHTNINGS_EPOCHS and trainer.max_steps == -1:
        rank_zero_warn(
            f"AutoLR: the search and the schedule are laid out for max_epochs={trainer.max_epochs},"
            f" {counted(steps, 'step')}; that is Lightning's default: if the run is shorter, set "
            "max_epochs"
        )


def _epochs(trainer: Trainer) -> tuple[float, ...]:
    """Return what the plan of the epochs to come depends on."""
    planned = _accumulation_scheduler(trainer) is not None
    accumulated = 0 if planned else trainer.accumulate_grad_batches
    return trainer.num_training_batches, accumulated, max_epochs(trainer), trainer.max_steps


def _made_before_epoch(trainer: Trainer) -> tuple[int, int]:
    """Return the steps made before the present epoch, or the next one, and its number."""
    loop = trainer.fit_loop
    progress: Any = loop.epoch_progress.current
    within = progress.ready == progress.started > progress.processed
    made = loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step
    return trainer.global_step - (made.current.completed if within else 0), progress.processed


def _accumulation_scheduler(trainer: Trainer) -> Any:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    kinds = either(GradientAccumulationScheduler)
    return next((one for one in callbacks if isinstance(one, kinds)), None)
