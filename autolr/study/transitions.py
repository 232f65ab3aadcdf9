"""States of a trial that Optuna stores, but has no public function for.

`optuna.Study` can neither begin a trial past those that wait, nor have one wait, nor resume a
given one; its storage can. Each function here makes one such change and returns when it is stored.
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

FIXED = "fixed_params"  # a system attribute of Optuna's: what a trial suggests, not the sampler


def begin(study: optuna.Study) -> optuna.Trial:
    """Return a new RUNNING trial, never a WAITING one."""
    study._thread_local.cached_all_trials = None
    return optuna.Trial(study, study._storage.create_new_trial(study._study_id))


def resume(study: optuna.Study, number: int) -> optuna.Trial:
    """Set a WAITING trial to RUNNING and return it, with its parameters, attributes and scores.

    Args:
        study: The study.
        number: Of the trial.
    """
    study._thread_local.cached_all_trials = None
    trial_id = _id_of(study, number)
    study._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    return optuna.Trial(study, trial_id)


def wait(study: optuna.Study, number: int, attrs: Mapping[str, Any] | None = None) -> None:
    """Set a RUNNING trial to WAITING.

    Args:
        study: The study.
        number: Of the trial.
        attrs: Stored first; their values are plain JSON.
    """
    trial_id = _id_of(study, number)
    _store(study, trial_id, attrs or {})
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)


def fix(trial: optuna.Trial, params: Mapping[str, Any]) -> None:
    """Store what a trial suggests for some parameters, in place of the sampler.

    Args:
        trial: A running trial.
        params: Plain JSON, by name.
    """
    trial.storage.set_trial_system_attr(trial._trial_id, FIXED, dict(params))
    trial._fixed_params = dict(params)


def prune(
    study: optuna.Study, number: int, attrs: Mapping[str, Any], value: float | None
) -> FrozenTrial:
    """Set a WAITING trial to PRUNED and return it.

    Args:
        study: The study.
        number: Of the trial.
        attrs: Stored first; their values are plain JSON.
        value: The trial's value; None: it has none.
    """
    trial_id = _id_of(study, number)
    _store(study, trial_id, attrs)
    values = None if value is None else [value]
    study._storage.set_trial_state_values(trial_id, TrialState.PRUNED, values)
    return study._storage.get_trial(trial_id)


def _store(study: optuna.Study, trial_id: int, attrs: Mapping[str, Any]) -> None:
    for key, value in attrs.items():
        study._storage.set_trial_user_attr(trial_id, key, value)


def _id_of(study: optuna.Study, number: int) -> int:
    return study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
