"""AutoLRS, carried out on a plain PyTorch run."""

import math

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError, DivergedError
from autolr.online import Keep, Monitor, ProbeScore, Stages, Try, best_of
from autolr.result import Result
from autolr.runtime.learner import DrivenLearner
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot


def search_by_stages(learner: DrivenLearner, rates: Rates, state: Stages) -> Result:
    """Train a run stage by stage, each after its probes; see `AutoLRS`.

    Args:
        learner: The run. Its batches are not put back after a probe.
        rates: The rates of its optimizer.
        state: As `AutoLRS.begin` returns it.

    Returns:
        The highest rate as the peak, the rates of all stages as the schedule, each probe's forecast
        as its score, with the step at which its stage ended as the horizon.

    Raises:
        DivergedError: If the run itself diverged.
    """
    probe_steps = 0
    while (action := state.action) is not None:
        if isinstance(action, Try):
            with Snapshot(learner.model, learner.optimizer).in_place():
                losses = _train(learner, rates, action)
            probe_steps += len(losses)
            state = state.tried(action, losses)
        else:
            losses = _train(learner, rates, action)
            if not math.isfinite(losses[-1]):
                raise DivergedError(f"the run diverged at the rate {action.rate:.3g} of a stage")
            state = state.kept(action)
    return _result(state, probe_steps)


def _train(learner: DrivenLearner, rates: Rates, action: Try | Keep) -> list[float]:
    """Return the losses of an action's steps; they end at the first that is not finite."""
    losses: list[float] = []
    rates.factor = action.rate / rates.base
    for _ in range(action.steps):
        learner.next_batch()
        loss = learner.train()
        if loss is None:
            raise ConfigError.of("the training loss", None, "a number for strategy='autolrs'")
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            break
    return losses


def _result(state: Stages, probe_steps: int) -> Result:
    peak = max(stage.rate for stage in state.done)
    table = [stage.rate / peak for stage in state.done for _ in range(stage.steps)]
    scores: list[ProbeScore] = []
    end = 0
    for stage in state.done:
        end += stage.steps
        for trial in stage.trials:
            candidate = Candidate(peak=trial.rate, schedule=schedules.constant())
            kept = not state.blind and trial is best_of(stage.trials)
            scores.append(ProbeScore(candidate, end - stage.steps, end, trial.forecast, kept))
    return Result(
        peak=None if state.blind else peak,
        kept_peak=peak if state.blind else None,
        schedule=schedules.tabulated(table),
        scores=tuple(scores),
        probe_steps=probe_steps,
        total_steps=end,
        validation_passes=0,
        monitor=Monitor("training loss"),
    )
