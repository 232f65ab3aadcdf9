"""A study in its storage: its name, its attributes, and its trials as Optuna has them."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from autolr.errors import StudyMismatchError
from autolr.study.fingerprint import Growth, as_json, check_fingerprint
from autolr.study.records import FINGERPRINT, WIDENED
from autolr.study.storage import storage_errors
from autolr.study.widening import widen


class StoredStudy:
    """A study as Optuna stores it.

    A method returns when its change is stored. A storage that fails raises `StorageError`.

    Args:
        url: The storage, for error messages.
        study: The study, open.
        trials: All of its trials; this process keeps them, and those to come.
    """

    def __init__(self, url: str, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        self._url = url
        self._study = study
        self._frozen = {trial.number: trial for trial in trials}

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

        A space that grew is stored, with the parameters of all trials, and noted in `WIDENED`.

        Args:
            parts: Nested settings, plain JSON.

        Raises:
            StudyMismatchError: If a setting differs; the message names the first one.
        """
        with storage_errors(self._url):
            stored = self._study.user_attrs.get(FINGERPRINT)
            if stored is None and not self._frozen:
                self._study.set_user_attr(FINGERPRINT, as_json(parts))
                return
        if stored is None:
            raise StudyMismatchError(
                f"study {self.name!r} was not made by autolr", "use {study} for a new study"
            )
        growth = check_fingerprint(self.name, stored, parts)
        if growth is not None and growth.names:
            self._grow(stored, growth)

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

    def _grow(self, stored: Mapping[str, Any], growth: Growth) -> None:
        """Store a space that grew; a process that dies in between begins anew."""
        former = {name: stored["space"].get(name) for name in growth.names}
        parts = {**stored, "space": growth.space.to_dict()}
        with storage_errors(self._url):
            widen(self._study, self._frozen.values(), growth.space, growth.names)
            history = self._study.user_attrs.get(WIDENED, [])
            step = {"trials": len(self._frozen), "from": former}
            self._study.set_user_attr(WIDENED, [*history, step])
            self._study.set_user_attr(FINGERPRINT, as_json(parts))

    def close(self) -> None:
        """Close the database's connections; a later call opens new ones."""
        self._study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
