"""A plain PyTorch run by a strategy that rewinds it: probes take batches of their own."""

import math

from autolr.errors import ConfigError, DivergedError, UnsupportedError
from autolr.online.actions import Commit, Train
from autolr.online.monitor import Monitor
from autolr.online.observation import Observation
from autolr.online.progress import Progress
from autolr.result.result import Result
from autolr.runtime.failures import of_a_step
from autolr.runtime.learner import DrivenLearner
from autolr.runtime.optimizer_peaks import name_of
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot


def train_rewinding(
    learner: DrivenLearner, rates: Rates, search: Progress, total_steps: int
) -> Result:
    """Train a run, and restore after each probe the state in which it began.

    Args:
        learner: The run. Its batches are not put back after a probe.
        rates: The rates of its optimizer.
        search: Whose actions are `Train` and `Commit`.
        total_steps: Optimizer steps of the run.

    Raises:
        DivergedError: If the run itself diverged.
        UnsupportedError: If the strategy answers with another action.
    """
    step = probe_steps = 0
    highest = 0.0
    while not isinstance(action := search.action, Commit):
        if not isinstance(action, Train):
            raise UnsupportedError(
                f"a strategy that rewinds answers with Train or Commit, got {action!r}"
            )
        if action.rewind:
            with Snapshot(learner.model, learner.optimizer).in_place():
                losses = _train(learner, rates, action)
            probe_steps += len(losses)
        else:
            losses = _train(learner, rates, action)
            highest = max(highest, rates.applied)
            step += len(losses)
            if not math.isfinite(losses[-1]):
                raise DivergedError(f"the run diverged at the rate {action.run.peak:.3g}")
        left = total_steps - step
        search = search.observe(Observation(step, losses=tuple(losses), steps_left=left))
    run = action.candidate
    for rest in range(step, total_steps):
        rates.factor = rates.factor_of(run, rest, total_steps)
        learner.next_batch()
        learner.train()
        highest = max(highest, rates.applied)
    return Result.of(
        search,
        run,
        total_steps,
        probe_steps=probe_steps,
        validation_passes=0,
        monitor=Monitor("training loss"),
        highest_rate=highest,
        optimizer=name_of(learner.optimizer),
    )


def _train(learner: DrivenLearner, rates: Rates, action: Train) -> list[float]:
    """Return the losses of an action's steps; they end at the first that is not finite."""
    losses: list[float] = []
    rates.factor = rates.factor_of(action.run, 0, 1)
    for _ in range(action.steps):
        learner.next_batch()
        try:
            loss = learner.train()
        except of_a_step(learner.ranks):
            if not action.rewind:
                raise
            losses.append(math.nan)  # the user's code refuses what comes of such a rate
            break
        if loss is None:
            raise ConfigError.of("the training loss", None, "a number, for the probes of a search")
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            break
    return losses
