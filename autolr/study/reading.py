"""Reading studies without changing the storage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage, RDBStorage

from autolr.errors import ConfigError, unknown_name
from autolr.storage_url import shown
from autolr.study.address import check_name, locate
from autolr.study.records import FINGERPRINT, direction_of, record_of
from autolr.study.storage import UNREADABLE, connect_existing, reason, storage_errors, without_logs
from autolr.study.summary import Summary

_ELSEWHERE = "{storage} names another one"


def peek(url: str, name: str) -> Summary | None:
    """Return the study ``name``, or None if there is none. Nothing is created or locked.

    Args:
        url: The storage.
        name: The study.

    Raises:
        ConfigError: If ``url`` or ``name`` cannot work.
        StorageError: If the storage exists but cannot be read, or the study has
            other objectives than a score and a cost.
    """
    check_name(name)
    with _opened(url) as storage:
        if storage is None or name not in _study_names(storage):
            return None
        return _summary(storage, name)


def look(url: str, name: str) -> Summary:
    """Return the study ``name``, which must exist. Nothing is created or locked.

    Args:
        url: The storage.
        name: The study.

    Raises:
        ConfigError: If there is none, or ``url`` or ``name`` cannot work.
        StorageError: As `peek`.
    """
    with _opened(url) as storage:
        known = () if storage is None else _study_names(storage)
        if storage is None or name not in known:
            raise _missing(url, name, known)
        return _summary(storage, name)


def look_around(url: str) -> tuple[tuple[Summary, ...], dict[str, str]]:
    """Return the studies of a storage, oldest first, and why others cannot be read, by name.

    Nothing is created or locked. Other tools may store studies there that autolr cannot read.

    Raises:
        ConfigError: If ``url`` cannot work.
        StorageError: If the storage exists but cannot be read.
    """
    summaries, unreadable = [], {}
    with _opened(url) as storage:
        if storage is None:
            return (), {}
        for name in _study_names(storage):
            try:
                summaries.append(_summary(storage, name))
            except UNREADABLE as error:
                unreadable[name] = reason(error)
    return tuple(summaries), unreadable


def existing(url: str, name: str | None = None) -> tuple[BaseStorage, int | None]:
    """Return a storage for Optuna's own tools, and the number of the study ``name`` in it.

    Nothing is created or locked.

    Args:
        url: The storage.
        name: The study; None: no number is returned.

    Raises:
        ConfigError: If there is no storage or no such study, or ``url`` cannot work.
        StorageError: If the storage exists but cannot be read.
    """
    address = locate(url)
    storage = connect_existing(address)
    if storage is None:
        raise ConfigError(f"no studies in {address.shown}", _ELSEWHERE)
    if name is None:
        return storage, None
    with storage_errors(url, reading=True):
        known = _study_names(storage)
        if name in known:
            return storage, storage.get_study_id_from_name(name)
    storage.engine.dispose()
    raise _missing(url, name, known)


def study_names(url: str) -> tuple[str, ...]:
    """Return the names of the studies in a storage, oldest first. Nothing is created.

    Raises:
        ConfigError: If ``url`` cannot work.
        StorageError: If the storage exists but cannot be read.
    """
    with _opened(url) as storage:
        return () if storage is None else _study_names(storage)


@contextmanager
def _opened(url: str) -> Iterator[RDBStorage | None]:
    """Open a storage to read it; None if there is none."""
    storage = connect_existing(locate(url))
    if storage is None:
        yield None
        return
    with storage_errors(url, reading=True), without_logs():
        try:
            yield storage
        finally:
            storage.engine.dispose()


def _summary(storage: RDBStorage, name: str) -> Summary:
    study = optuna.load_study(study_name=name, storage=storage)
    attrs = study.user_attrs
    fingerprint = attrs.pop(FINGERPRINT, None)
    trials = tuple(map(record_of, study.get_trials(deepcopy=False)))
    ours = fingerprint if _is_ours(fingerprint) else {}
    return Summary(name, direction_of(study), ours, attrs, trials)


def _is_ours(fingerprint: object) -> bool:
    """Return whether autolr wrote it."""
    if not isinstance(fingerprint, dict) or not isinstance(fingerprint.get("monitor", ""), str):
        return False
    objective = fingerprint.get("objective", ["", ""])
    return isinstance(objective, list) and [type(one) for one in objective] == [str, str]


def _missing(url: str, name: str, known: Sequence[str]) -> ConfigError:
    if known:
        return ConfigError(f"{unknown_name('study', name, known)} (in {shown(url)})")
    return ConfigError(f"no study {name!r}, nor any other, in {shown(url)}", _ELSEWHERE)


def _study_names(storage: RDBStorage | BaseStorage) -> tuple[str, ...]:
    return tuple(study.study_name for study in storage.get_all_studies())
