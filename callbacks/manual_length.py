"""The length of a run with manual optimization, from how often it has stepped so far."""

import math
from typing import Any

from autolr.callbacks.namespaces import Trainer
from autolr.callbacks.step_tally import StepTally
from autolr.callbacks.swa import max_epochs


def manual_steps(trainer: Trainer, tally: StepTally, seen: StepTally | None) -> float:
    """Return the steps of a run, as far as it is known; infinite where it has no end.

    Args:
        trainer: A trainer that is about to train, or trains.
        tally: What was counted so far. Where that is nothing, each batch counts as one step, and
            as one of ``max_steps``.
        seen: What was counted on a copy of the run; None: nothing.
    """
    known = tally if tally.is_clear or tally.epoch_batches or seen is None else seen
    return max(min(_in_epochs(trainer, tally, known), known.steps_until(trainer.max_steps)), 1)


def look_of(tally: StepTally) -> tuple[int, int]:
    """Return what changes where the length is to be looked at again.

    That is as each epoch begins, and in the first one at batches 1, 2, 4, 8 ...
    """
    return tally.epoch_batches, 0 if tally.epoch_batches else tally.batches.bit_length()


def is_whole(trainer: Trainer) -> bool:
    """Return whether a run has reached the limit that was set for it."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    at_step = 0 <= trainer.max_steps <= trainer.global_step
    return at_step or 0 < max_epochs(trainer) <= progress.processed


def _in_epochs(trainer: Trainer, tally: StepTally, known: StepTally) -> float:
    """Return the steps of all epochs, if they have as many batches as the present one."""
    epochs, in_epoch = max_epochs(trainer), trainer.num_training_batches
    if epochs < 0 or math.isinf(in_epoch):
        return math.inf
    progress: Any = trainer.fit_loop.epoch_progress.current
    left: int = max(0, max(epochs, 1) - progress.processed)
    if not (tally.epoch_batches or progress.processed):  # most modules look at the batch's index
        return left * known.steps_in(in_epoch)
    within = progress.ready == progress.started > progress.processed
    return known.steps_in((tally.epoch_batches if within else tally.batches) + left * in_epoch)
