"""A study in its storage, without its trials: its name and its attributes."""

import warnings
from collections.abc import Mapping
from typing import Any

import optuna

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

    def draw_around(self, peaks: Mapping[str, float]) -> None:
        """Have the sampler draw its first points around a peak by rule, if it does so at all."""
        sampler: Any = self._study.sampler
        sampler.prior = peaks  # one of the user's has no use for it

    def attr(self, key: str) -> Any:
        """Return an attribute of the study; None if it has none of this name."""
        with storage_errors(self._url):
            return self._study.user_attrs.get(key)

    def name_values(self, *names: str) -> None:
        """Set the names of a trial's values in Optuna's own tools, unless the study has names."""
        with storage_errors(self._url), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self._study.metric_names is None:
                self._study.set_metric_names(list(names))

    def close(self) -> None:
        """Close the database's connections; a later call opens new ones."""
        self._study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
