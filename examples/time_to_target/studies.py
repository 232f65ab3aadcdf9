"""Optuna studies over (peak, profile) within a budget of steps, over any source of runs."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState

from examples.time_to_target.loop import CHECKPOINTS, PROFILES, checkpoints

_RUNGS = (1, 3, 9, 27)  # in 27ths of a run: Hyperband's, eta 3
_GP_STARTUP = 3  # random trials; the default of 10 would leave none of 5 or 10 to the process


class Stop(Exception):
    """Raised at a checkpoint at which a run must end."""


Report = Callable[[int, float], None]
"""Called with a checkpoint (its number, from 0) and the loss there; raises `Stop`."""


class Source(Protocol):
    """Where the runs of a study come from: a recording, or training.

    Attributes:
        steps: Of a whole run.
        low: Lowest peak.
        high: Highest peak.
    """

    steps: int
    low: float
    high: float

    def run(self, peak: float, profile: str, report: Report) -> int:
        """Train until the end, or divergence, or `Stop`, which is passed on.

        Returns:
            The steps that were made.
        """


@dataclass(frozen=True)
class StudyResult:
    """The result of a study.

    Attributes:
        final: Of the best run that was finished; infinite when all of them diverged.
        peak: Of that run; NaN without one.
        total_steps: Of all runs, finished or not.
        validation_passes: At the rungs that the pruner saw.
    """

    final: float
    peak: float
    total_steps: int
    validation_passes: int


def tpe_hyperband(source: Source, runs: int, seed: int) -> StudyResult:
    """TPE at its defaults with Hyperband (1 to 27, eta 3), for the steps of ``runs`` runs."""
    pruner = HyperbandPruner(min_resource=1, max_resource=CHECKPOINTS[-1], reduction_factor=3)
    sampler = TPESampler(seed=seed)
    return _search(source, runs * source.steps, sampler, pruner, _RUNGS)


def gaussian_process(source: Source, runs: int, seed: int) -> StudyResult:
    """GPSampler without pruning, for the steps of ``runs`` runs.

    Three trials are random in place of the default's ten, with which it would be random search.
    """
    with warnings.catch_warnings():  # it warns that it is experimental at each run that diverged
        warnings.simplefilter("ignore")
        sampler = GPSampler(seed=seed, n_startup_trials=_GP_STARTUP)
        return _search(source, runs * source.steps, sampler, NopPruner(), _RUNGS[-1:])


def _search(
    source: Source,
    budget: int,
    sampler: BaseSampler,
    pruner: BasePruner,
    rungs: tuple[int, ...],
) -> StudyResult:
    """Run trials while the budget allows the next one its first rung."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Hyperband draws a trial's bracket from the study's name: unnamed it would not be repeatable.
    study = optuna.create_study(sampler=sampler, pruner=pruner, study_name="time_to_target")
    spending = _Spending(source, budget, rungs)
    while spending.left >= spending.at(rungs[0]):
        trial = study.ask()
        value = spending.run(trial)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        study.tell(trial, value, state)
    final, peak = min(spending.finished, default=(math.inf, math.nan))
    return StudyResult(
        final=final,
        peak=peak if math.isfinite(final) else math.nan,
        total_steps=spending.spent,
        validation_passes=spending.passes,
    )


class _Spending:
    """Trials, and what they cost.

    Attributes:
        spent: Steps of all trials.
        passes: Validation passes at rungs.
        finished: Final loss and peak of each trial that was not stopped.
    """

    def __init__(self, source: Source, budget: int, rungs: tuple[int, ...]) -> None:
        self.spent = 0
        self.passes = 0
        self.finished: list[tuple[float, float]] = []
        self._source = source
        self._budget = budget
        self._rungs = rungs

    @property
    def left(self) -> int:
        """Steps that may still be made."""
        return self._budget - self.spent

    def at(self, k: int) -> int:
        """Return the steps of a run until its checkpoint at ``k`` 27ths."""
        return checkpoints(self._source.steps)[CHECKPOINTS.index(k)]

    def run(self, trial: Trial) -> float | None:
        """Return the final loss of a trial, None if it was pruned or the budget ended."""
        peak = trial.suggest_float("peak", self._source.low, self._source.high, log=True)
        profile = trial.suggest_categorical("profile", list(PROFILES))
        allowed, reached, losses = self.left, 0, list[float]()

        def report(number: int, loss: float) -> None:
            nonlocal reached
            k = CHECKPOINTS[number]
            reached = self.at(k)
            losses.append(loss)
            if k in self._rungs:
                self.passes += 1
                trial.report(loss, k)
                if k != CHECKPOINTS[-1] and self._ends(trial, k, allowed):
                    raise Stop

        try:
            self.spent += self._source.run(peak, profile, report)
        except Stop:
            self.spent += reached
            return None
        self.finished.append((losses[-1], peak))
        return losses[-1]

    def _ends(self, trial: Trial, k: int, allowed: int) -> bool:
        """Return whether a trial ends at this rung: pruned, or the next one is over budget."""
        following = self._rungs[self._rungs.index(k) + 1]
        return trial.should_prune() or self.at(following) > allowed
