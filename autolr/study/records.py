"""Trials and studies as plain values, and reading them without changing anything."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autolr.errors import ConfigError, unknown_name
from autolr.study.address import check_name, locate
from autolr.study.promotion import Progress, TrialStatus
from autolr.study.storage import connect_existing, quiet, storage_errors

Direction = Literal["minimize", "maximize"]
State = Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]

FINGERPRINT = "fingerprint"  # the study's attribute that `Study.check_fingerprint` stores
ID = "id"  # the study's attribute that tells it from all others, whatever it is called
FOLDER = "folder"  # the study's attribute that says where its results are
PROMOTED = "promoted"  # a trial's attribute: the last rung that it was let pass


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as it was when it was read.

    Attributes:
        number: Counted from 0.
        state: ``COMPLETE`` and ``PRUNED`` count as finished.
        value: The final score; None unless ``COMPLETE``.
        cost: What it cost, if the study minimizes that too; None unless ``COMPLETE``.
        params: What the sampler chose.
        attrs: The trial's user attributes.
        scores: By optimizer step, what was reported at the rungs; NaN if it was not finite.
        started: Local time of the latest start; None if it never started.
        ended: Local time; None if it is not over.
    """

    number: int
    state: State
    value: float | None
    params: Mapping[str, Any]
    attrs: Mapping[str, Any]
    scores: Mapping[int, float]
    started: datetime | None = None
    ended: datetime | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A study as it was when it was read.

    Attributes:
        name: The study's name.
        direction: Whether lower or higher values are better; a cost is always minimized.
        fingerprint: What it was made with; empty before the first check.
        attrs: The study's other user attributes.
        trials: By number.
    """

    name: str
    direction: Direction
    fingerprint: Mapping[str, Any]
    attrs: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]

    @property
    def folder(self) -> Path | None:
        """Where its latest driver said that the results are; None: none has said so."""
        told = self.attrs.get(FOLDER)
        return Path(told) if isinstance(told, str) else None

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self.trials, "COMPLETE", "PRUNED")

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return count(self.trials, "FAIL")

    @property
    def running(self) -> int:
        """Trials under way, or left so by a process that died."""
        return count(self.trials, "RUNNING")

    @property
    def waiting(self) -> int:
        """Cut trials that will go on first."""
        return count(self.trials, "WAITING")

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The trials that none beats in both value and cost, best value first; () without cost."""
        return front_of(self.trials, self.direction)

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
        return best(self.trials, self.direction, n)


def peek(url: str, name: str) -> Summary | None:
    """Return the study ``name``, or None if there is none. Nothing is created or locked.

    Raises:
        ConfigError: If ``url`` or ``name`` cannot work.
        StorageError: If the storage is there but cannot be read, or the study has
            other objectives than a score and a cost.
    """
    address = locate(url)
    check_name(name)
    storage = connect_existing(address)
    if storage is None:
        return None
    with storage_errors(url, reading=True), quiet():
        try:
            if name not in _study_names(storage):
                return None
            study = optuna.load_study(study_name=name, storage=storage)
            attrs = study.user_attrs
            return Summary(
                name=name,
                direction=direction_of(study),
                fingerprint=attrs.pop(FINGERPRINT, {}),
                attrs=attrs,
                trials=tuple(map(record_of, study.get_trials(deepcopy=False))),
            )
        finally:
            storage.engine.dispose()


def look(url: str, name: str) -> Summary:
    """Return the study ``name``, which must be there. Nothing is created or locked.

    Raises:
        ConfigError: If there is none, or ``url`` or ``name`` cannot work.
        StorageError: As `peek`.
    """
    found = peek(url, name)
    if found is None:
        raise _missing(url, name, names(url))
    return found


def existing(url: str, name: str | None = None) -> tuple[BaseStorage, int | None]:
    """Return a storage as Optuna's own tools take it, and the number of the study ``name`` in it.

    Nothing is created or locked.

    Raises:
        ConfigError: If there is no storage or no such study, or ``url`` cannot work.
        StorageError: If the storage is there but cannot be read.
    """
    address = locate(url)
    storage = connect_existing(address)
    if storage is None:
        raise ConfigError(f"no studies in {address.shown}")
    if name is None:
        return storage, None
    with storage_errors(url, reading=True):
        known = _study_names(storage)
        if name in known:
            return storage, storage.get_study_id_from_name(name)
    storage.engine.dispose()
    raise _missing(url, name, known)


def names(url: str) -> tuple[str, ...]:
    """Return the names of the studies in a storage, oldest first. Nothing is created.

    Raises:
        ConfigError: If ``url`` cannot work.
        StorageError: If the storage is there but cannot be read.
    """
    storage = connect_existing(locate(url))
    if storage is None:
        return ()
    with storage_errors(url, reading=True):
        try:
            return _study_names(storage)
        finally:
            storage.engine.dispose()


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return Optuna's trial as a plain value."""
    state: Any = trial.state.name
    return TrialRecord(
        number=trial.number,
        state=state,
        value=trial.values[0] if state == "COMPLETE" else None,
        params=dict(trial.params),
        attrs=dict(trial.user_attrs),
        scores=dict(sorted(trial.intermediate_values.items())),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        cost=trial.values[1] if state == "COMPLETE" and len(trial.values) > 1 else None,
    )


def status_of(record: TrialRecord, sign: float) -> TrialStatus:
    """Return what decides about a trial; its scores are multiplied by ``sign``."""
    at_rung = max(record.scores, default=0) > record.attrs.get(PROMOTED, 0)
    progress: dict[State, Progress] = {
        "RUNNING": "running",
        "WAITING": "paused" if at_rung else "cut",
        "FAIL": "failed",
    }
    scores = {step: sign * score for step, score in record.scores.items()}
    bracket = record.attrs.get("bracket")
    return TrialStatus(record.number, progress.get(record.state, "over"), bracket, scores)


def direction_of(study: optuna.Study) -> Direction:
    """Return the direction of a study's score.

    Raises:
        RuntimeError: If it has other objectives than a score and perhaps a cost.
    """
    direction, *others = study.directions
    if others not in ([], [StudyDirection.MINIMIZE]):
        raise RuntimeError(f"study {study.study_name!r} has other objectives than score and cost")
    return "maximize" if direction == StudyDirection.MAXIMIZE else "minimize"


def count(trials: Iterable[TrialRecord], *states: State) -> int:
    """Return how many trials are in one of ``states``."""
    return sum(trial.state in states for trial in trials)


def best(
    trials: Iterable[TrialRecord], direction: Direction, n: int = 1
) -> tuple[TrialRecord, ...]:
    """Return the ``n`` best COMPLETE trials, best first; of equal ones the oldest first.

    Of trials that have a cost, those of the front come alone.
    """
    trials = tuple(trials)
    if any(trial.cost is not None for trial in trials):
        return front_of(trials, direction)[:n]
    sign = 1.0 if direction == "minimize" else -1.0
    scored = [
        (sign * trial.value, trial.number, trial)
        for trial in trials
        if trial.value is not None and math.isfinite(trial.value)
    ]
    return tuple(trial for _, _, trial in sorted(scored)[:n])


def front_of(trials: Iterable[TrialRecord], direction: Direction) -> tuple[TrialRecord, ...]:
    """Return the trials that none beats in both value and cost, best value first."""
    sign = 1.0 if direction == "minimize" else -1.0
    priced = [trial for trial in trials if trial.value is not None and trial.cost is not None]
    points = [(sign * (trial.value or 0.0), trial.cost or 0.0) for trial in priced]
    return tuple(priced[index] for index in front(points))


def _missing(url: str, name: str, known: Sequence[str]) -> ConfigError:
    what = unknown_name("study", name, known) if known else f"no study {name!r}, nor any other"
    return ConfigError(f"{what} (in {locate(url).shown})")


def _study_names(storage: RDBStorage | BaseStorage) -> tuple[str, ...]:
    return tuple(study.study_name for study in storage.get_all_studies())


def front(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return the indices of the points that no other one beats: the Pareto front, both minimized.

    A point is beaten by one that is as low in both and lower in one; equal ones beat neither. By
    the first coordinate, lowest first; of equal points the earliest first.

    >>> front([(0.5, 20.0), (0.1, 90.0), (0.6, 30.0), (0.3, 40.0)])
    (1, 3, 0)
    """
    found: list[int] = []
    least = math.inf
    for index in sorted(range(len(points)), key=points.__getitem__):
        cost = points[index][1]
        if cost < least or (found and points[index] == points[found[-1]]):
            found.append(index)
            least = cost
    return tuple(found)
