"""A study in its storage, without its trials: its name and its attributes."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autolr.study.fingerprint import Growth, as_json
from autolr.study.records import FINGERPRINT, WIDENED
from autolr.study.storage import storage_errors
from autolr.study.widening import widen


class StoredStudy:
    """What a study has beside its trials.

    A method returns when its change is stored. A storage that fails raises `StorageError`.

    Args:
        url: The storage, for error messages.
        study: The study, open.
    """

    def __init__(self, url: str, study: optuna.Study) -> None:
        self._url = url
        self._study = study

    @property
    def name(self) -> str:
        """The study's name."""
        return self._study.study_name

    def set_attr(self, key: str, value: Any) -> None:
        """Store an attribute of the study.

        Args:
            key: The attribute's name.
            value: Plain JSON.
        """
        with storage_errors(self._url):
            self._study.set_user_attr(key, value)

    def name_values(self, *names: str) -> None:
        """Set the names of a trial's values in Optuna's own tools, unless the study has names."""
        with storage_errors(self._url), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self._study.metric_names is None:
                self._study.set_metric_names(list(names))

    def _grow(
        self, stored: Mapping[str, Any], growth: Growth, trials: Collection[FrozenTrial]
    ) -> None:
        """Store a space that grew; a process that dies in between begins anew."""
        former = {name: stored["space"].get(name) for name in growth.names}
        parts = {**stored, "space": growth.space.to_dict()}
        with storage_errors(self._url):
            widen(self._study, trials, growth.space, growth.names)
            history = self._study.user_attrs.get(WIDENED, [])
            step = {"trials": len(trials), "from": former}
            self._study.set_user_attr(WIDENED, [*history, step])
            self._study.set_user_attr(FINGERPRINT, as_json(parts))

    def close(self) -> None:
        """Close the database's connections; a later call opens new ones."""
        self._study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
