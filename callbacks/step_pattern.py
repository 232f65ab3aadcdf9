"""In which batches a module that optimizes by hand steps, seen on a copy before the run begins."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autolr.callbacks.manual_steps import MOST_BATCHES
from autolr.callbacks.step_tally import StepTally
from autolr.runtime.failures import forget_step, of_a_step
from autolr.runtime.held_objects import HeldObjects
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext
from autolr.runtime.untouched import changeable, untouched

if TYPE_CHECKING:
    from autolr.callbacks.learner import LightningLearner


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a copy of a run has shown.

    Attributes:
        tally: How often it has stepped.
        returns_loss: Whether its ``training_step`` returns a loss; None: it was not called.
    """

    tally: StepTally
    returns_loss: bool | None = None


def pattern_of(learner: "LightningLearner") -> Pattern:
    """Train a copy on the present batch, as if it were the first ones of an epoch.

    It ends when two batches have stepped, or the first one after others that have not: gradients
    are accumulated over as many. The run is left as it was.

    Args:
        learner: The run before its first step, with the batch of that step.
    """
    pattern = Pattern(StepTally())
    model, optimizer = learner.model, learner.optimizer
    if HeldObjects(model, optimizer).uncopied:
        return pattern
    before = StepContext.capture(optimizer)
    copy = Snapshot(model, optimizer, learner.extras, changeable(model))
    with untouched(model, weights=True), copy.in_place():
        while not pattern.tally.is_clear and pattern.tally.batches < MOST_BATCHES:
            try:
                loss, stepped, counted = learner.tried(pattern.tally.batches)
            except of_a_step(learner.ranks):  # as the run itself will, or only a batch made up here
                forget_step(learner.extras)
                break
            tally = pattern.tally.after(stepped=stepped, optimizer_steps=counted)
            pattern = Pattern(tally, loss is not None)
    before.restore()
    return pattern
