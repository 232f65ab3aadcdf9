"""How a storage is: its tables, its damage, and who holds its studies."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy
from filelock import FileLock, Timeout
from optuna.storages import RDBStorage

from autolr.study.address import locate
from autolr.study.heartbeat import holder
from autolr.study.lock import lock_path
from autolr.study.reading import look_around
from autolr.study.storage import connect_existing, storage_errors

_MOST_DAMAGES = 5  # that are listed: one is enough to know
_MOMENT = 1.0  # seconds to wait for a writer of an SQLite file; its writes take milliseconds


@dataclass(frozen=True, slots=True)
class Health:
    """A storage that exists and can be read.

    Attributes:
        schema: The version of its tables.
        newest: The version that the installed Optuna writes.
        damages: What SQLite's check of the whole file has found; empty for a server.
        writable: Whether this process may write to it.
        busy: Whether another process has been writing to it for longer than a second.
        studies: Their names, oldest first.
        unreadable: Why others cannot be read, by name.
        held: Who works on a study, by its name.
    """

    schema: str
    newest: str
    damages: tuple[str, ...]
    writable: bool
    busy: bool
    studies: tuple[str, ...]
    unreadable: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)


def health(url: str) -> Health | None:
    """Examine a storage; None if there is none. Nothing is created or changed.

    Raises:
        ConfigError: If ``url`` cannot work, or the server's driver is not installed.
        StorageError: If it exists but cannot be read.
    """
    address = locate(url)
    storage = connect_existing(address)
    if storage is None:
        return None
    with storage_errors(url, reading=True):
        try:
            versions = storage.get_current_version(), storage.get_head_version()
            damages = _damages(storage) if address.path is not None else ()
        finally:
            storage.engine.dispose()
    summaries, unreadable = look_around(url)
    held = {one.name: f"{lease}" for one in summaries if (lease := holder(one)) is not None}
    for one in summaries:
        if address.path is not None and _is_locked(lock_path(address, one.name, None)):
            held.setdefault(one.name, "a process that has its lock")
    return Health(
        *versions,
        damages,
        address.path is None or _may_write(address.path),
        address.path is not None and _is_busy(address.path),
        tuple(one.name for one in summaries),
        unreadable,
        held,
    )


def _damages(storage: RDBStorage) -> tuple[str, ...]:
    with storage.engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(f"PRAGMA integrity_check({_MOST_DAMAGES})"))
        found = tuple(str(row[0]) for row in rows)
    return () if found == ("ok",) else found


def _may_write(path: Path) -> bool:
    return all(os.access(one, os.W_OK) for one in (path, path.parent))


def _is_busy(path: Path) -> bool:
    if not _may_write(path):
        return False
    with closing(sqlite3.connect(path, timeout=_MOMENT)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.rollback()
    return False


def _is_locked(path: Path) -> bool:
    """Return whether a process has the lock of a study; the file alone says nothing."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # another user's: it cannot be tried
        return False
    lock.release()
    return False
