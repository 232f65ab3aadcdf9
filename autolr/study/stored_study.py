"""A study in its storage, without its trials: its name and its attributes."""

import warnings
from collections.abc import Mapping
from typing import Any

import optuna

from autolr.errors import StudyMismatchError
from autolr.study.fingerprint import as_json, check_fingerprint
from autolr.study.records import FINGERPRINT
from autolr.study.storage import storage_errors


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

    def check_fingerprint(self, parts: Mapping[str, Any]) -> None:
        """Store the settings of a new study, or compare them with the stored ones.

        Args:
            parts: Nested settings, plain JSON.

        Raises:
            StudyMismatchError: If a setting differs; the message names the first one.
        """
        with storage_errors(self._url):
            stored = self._study.user_attrs.get(FINGERPRINT)
            if stored is None and not self._study.get_trials(deepcopy=False):
                self._study.set_user_attr(FINGERPRINT, as_json(parts))
                return
        if stored is None:
            raise StudyMismatchError(
                f"study {self.name!r} was not made by autolr; use --study NAME for a new study"
            )
        check_fingerprint(self.name, stored, parts)

    def name_values(self, *names: str) -> None:
        """Set the names of a trial's values in Optuna's own tools, unless the study has names."""
        with storage_errors(self._url), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self._study.metric_names is None:
                self._study.set_metric_names(list(names))

    def close(self) -> None:
        """Close the database's connections; a later call opens new ones."""
        self._study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
