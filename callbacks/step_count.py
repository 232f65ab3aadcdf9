"""The steps that a run has made."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch.optim import Optimizer

from autolr.callbacks.manual_length import is_whole
from autolr.callbacks.namespaces import Trainer
from autolr.callbacks.step_tally import StepTally


class StepCount:
    """Counts the steps of a run, batch by batch.

    With automatic optimization they are the Trainer's ``global_step``. With manual optimization
    that counts every step of every optimizer that `LightningModule.optimizers` has wrapped; here a
    batch is one step if any optimizer has stepped in it.

    Args:
        trainer: A trainer that has begun to fit.
        stored: What `state_dict` returned, where the run is resumed.

    Attributes:
        manual: Whether the module optimizes by hand.
        tally: What has been counted, if so.
    """

    def __init__(self, trainer: Trainer, stored: Mapping[str, int] | None = None) -> None:
        self.manual = is_manual(trainer)
        self._trainer = trainer
        self.tally = StepTally(**stored) if stored else _begun(trainer)
        self._within = 0  # the Trainer's count as the batch began
        self._hooks = StepHooks(trainer.optimizers if self.manual else [])

    @property
    def made(self) -> int:
        """The steps made so far."""
        return self.tally.steps if self.manual else self._trainer.global_step

    def begin_epoch(self) -> None:
        """Begin with the first batch of an epoch."""
        self.tally = self.tally.in_next_epoch()

    def begin_batch(self) -> None:
        """Begin with a batch; what has stepped before this call does not count."""
        self._within, self._hooks.count = self._trainer.global_step, 0

    def end_batch(self) -> bool:
        """Count the batch; return whether it was a step."""
        counted = self._trainer.global_step - self._within
        stepped = counted > 0 or self._hooks.count > 0
        if self.manual:
            self.tally = self.tally.after(stepped=stepped, optimizer_steps=counted)
        return stepped

    def is_short(self, steps: int) -> bool:
        """Return whether a run that has ended made fewer steps than were planned.

        Args:
            steps: Those that were planned. With manual optimization they are an estimate: a run
                that has reached its limit is not short of them.
        """
        return self.made < steps and not (self.manual and is_whole(self._trainer))

    def state_dict(self) -> dict[str, int] | None:
        """Return the tally, for a checkpoint; None with automatic optimization."""
        return asdict(self.tally) if self.manual else None

    def close(self) -> None:
        """Remove what it has attached to the optimizers."""
        self._hooks.close()


class StepHooks:
    """Counts the steps of some optimizers, whoever calls them.

    Args:
        optimizers: The optimizers.

    Attributes:
        count: Steps so far; one within another counts too.
    """

    def __init__(self, optimizers: list[Optimizer]) -> None:
        self.count = 0
        self._handles = [one.register_step_post_hook(self._add) for one in optimizers]

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _add(self, *_: Any) -> None:
        self.count += 1


def is_manual(trainer: Trainer) -> bool:
    """Return whether the module in training optimizes by hand."""
    return not trainer.lightning_module.automatic_optimization


def has_begun(trainer: Trainer) -> bool:
    """Return whether a run has steps behind it, here or in the checkpoint that it resumes.

    Those of optimizers that the Trainer does not wrap are not in its ``global_step``.
    """
    if trainer.global_step or not is_manual(trainer):
        return trainer.global_step > 0
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready > 0


def _begun(trainer: Trainer) -> StepTally:
    """Return a tally for a run of whose batches nothing was counted: each as one step."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    batches: int = progress.processed
    last = batches - 1
    return StepTally(batches, batches, trainer.global_step, min(0, last), last)
