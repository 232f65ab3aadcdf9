"""Optuna's samplers and its Hyperband, at their defaults."""

import warnings

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState

from examples.time_to_target.peers.budget import Budget
from examples.time_to_target.peers.problem import PARTS, RUNGS, Range, Space, Value

_GP_STARTUP = 3


def tpe_hyperband(budget: Budget, seed: int) -> None:
    """TPE with Hyperband, from 1 to 27 parts of a run, eta 3."""
    _study(budget, TPESampler(seed=seed), HyperbandPruner(1, PARTS, 3), RUNGS)


def tpe(budget: Budget, seed: int) -> None:
    """TPE over whole runs."""
    _study(budget, TPESampler(seed=seed), NopPruner(), RUNGS[-1:])


def gaussian_process(budget: Budget, seed: int) -> None:
    """A Gaussian process over whole runs, after 3 random ones: the default of 10 is the budget."""
    with warnings.catch_warnings():  # it warns at each run that diverged
        warnings.simplefilter("ignore")
        _study(budget, GPSampler(seed=seed, n_startup_trials=_GP_STARTUP), NopPruner(), RUNGS[-1:])


def _study(
    budget: Budget, sampler: BaseSampler, pruner: BasePruner, rungs: tuple[int, ...]
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Hyperband draws a trial's bracket from the study's name: unnamed it would not be repeatable.
    study = optuna.create_study(sampler=sampler, pruner=pruner, study_name="peers")
    study.enqueue_trial(dict(budget.problem.default))
    while True:
        trial = study.ask()
        loss = _trained(budget, trial, rungs)
        state = TrialState.PRUNED if loss is None else TrialState.COMPLETE
        study.tell(trial, loss, state)


def _trained(budget: Budget, trial: Trial, rungs: tuple[int, ...]) -> float | None:
    """Return the final loss of a trial, None if it was pruned."""
    training = budget.begin(_point(trial, budget.problem.space))
    for part in rungs:
        loss = training.until(part)
        trial.report(loss, part)
        if part < PARTS and trial.should_prune():
            return None
    return loss


def _point(trial: Trial, space: Space) -> dict[str, Value]:
    for name, domain in space.items():
        if isinstance(domain, Range):
            trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        else:
            trial.suggest_categorical(name, domain.values)
    return dict(trial.params)
