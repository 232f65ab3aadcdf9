"""A point that a trial would get, drawn as Optuna draws it and not stored."""

import copy
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage

from autolr.study.transitions import fix


class Draft(optuna.Trial):
    """A trial that draws its parameters in memory; those that it has stored stay as they are.

    Args:
        trial: A running trial.
        given: The values of some parameters; the sampler draws the others.
    """

    def __init__(self, trial: optuna.Trial, given: Mapping[str, Any]) -> None:
        vars(self).update(vars(trial))
        own = copy.copy(trial._cached_frozen_trial)
        own.params, own.distributions = dict(own.params), dict(own.distributions)
        self._cached_frozen_trial = own
        self._fixed_params = dict(given)
        self._relative_params = None  # as drawn by the sampler's present attempt
        self.storage: Any = _Unwritten(trial.storage)

    def accept(self, trial: optuna.Trial, *, stored: bool) -> None:
        """Have a trial suggest what was drawn.

        Args:
            trial: The trial.
            stored: Whether that is stored first: a process that resumes the trial could not draw
                the same.
        """
        params = dict(self._cached_frozen_trial.params)
        if stored:
            fix(trial, params)
        trial._fixed_params = params


class _Unwritten:
    """A storage that keeps no parameters."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def set_trial_param(
        self, trial_id: int, name: str, value: float, distribution: BaseDistribution
    ) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
