"""Opening a storage, and its errors in one line."""

import json
import os
import shutil
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock, Timeout
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from autolr.errors import AutoLRError, StorageBusyError, StorageError
from autolr.storage_url import scrubbed, secrets_of, shown
from autolr.study.address import Address, missing_driver
from autolr.study.server import open_on_server
from autolr.study.session import Session, connect_args

_BESIDE = ("", "-wal", "-journal")  # the files of a database that a copy needs
_BUSY_SECONDS = 60  # to wait for another writer of the file; writes take milliseconds

_BROKEN = (SQLAlchemyError, sqlite3.Error, OptunaError, OSError, LookupError)
UNREADABLE = (*_BROKEN, ValueError, TypeError, AssertionError, RuntimeError)

_PASSED: set[str] = set()  # versions of Optuna's tables, see `_rdb`


@contextmanager
def storage_errors(url: str, *, reading: bool = False) -> Iterator[None]:
    """Turn errors of SQLite, SQLAlchemy and Optuna in the block into one line.

    Errors of the calling code pass: a `KeyError` is the storage's only if Optuna raised it (the
    study was deleted meanwhile).

    Args:
        url: The storage.
        reading: Whether the block only reads or creates: then an invalid value is damage too.

    Raises:
        StorageError: If the storage is damaged, full, read-only or out of reach.
        ConfigError: If, when reading, the server's driver is not installed.
    """
    try:
        yield
    except AutoLRError:
        raise
    except ImportError:
        if not reading:
            raise
        raise missing_driver(url) from None
    except UNREADABLE as error:
        if not reading and not is_storage_error(error):
            raise
        why = scrubbed(reason(error), url)
        cause = None if secrets_of(url) else error  # a driver's message may contain the URL
        raise StorageError(f"cannot use {shown(url)}: {why}") from cause


def connect(address: Address, session: Session | None = None) -> RDBStorage:
    """Open the storage; create it and its folder if they do not exist.

    An SQLite file is checked for damage and set to WAL mode: readers do not block the writer, and
    a writer that is killed leaves a database that opens. Processes that create a file at the same
    time wait for each other.

    Args:
        address: The storage.
        session: The session that holds the study on a PostgreSQL server: only it writes.

    Raises:
        ConfigError: If the server's driver is not installed.
        StorageError: If the storage cannot be used.
    """
    with storage_errors(address.given, reading=True):
        if address.is_postgresql:
            return open_on_server(address.url, _template(address), session)
        if address.path is None:
            return _rdb(address)
        address.path.parent.mkdir(parents=True, exist_ok=True)
        turn = FileLock(f"{address.path}.lock", timeout=_BUSY_SECONDS)
        try:
            turn.acquire()
        except Timeout:
            raise StorageBusyError(f"another process is creating {address.shown}") from None
        try:
            _prepare(address.path)
            return _rdb(address)
        finally:
            turn.release()


def connect_existing(address: Address) -> RDBStorage | None:
    """Open the storage if it exists; no file or table is created.

    A read-only database is read from a copy.

    Raises:
        ConfigError: If the server's driver is not installed.
        StorageError: If it exists but cannot be read.
    """
    with storage_errors(address.given, reading=True):
        if address.path is not None and not address.path.exists():
            return None
        if address.path is not None and not _may_write(address.path):
            return _copied(address, address.path)
        return _existing(address)


def _existing(address: Address) -> RDBStorage | None:
    engine = sqlalchemy.create_engine(address.url, **_engine_settings(address))
    try:
        if not _is_whole(engine):
            return None
    finally:
        engine.dispose()
    return _rdb(address, skip_table_creation=True)


def _may_write(path: Path) -> bool:
    """Return whether a database can be opened: in WAL mode a reader writes files beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _copied(address: Address, path: Path) -> RDBStorage | None:
    """Open a copy of a read-only database; the copy lasts as long as the storage."""
    folder = TemporaryDirectory(prefix="autolr")
    copy = Path(folder.name, "copy.db")
    for beside in _BESIDE:
        with suppress(*([FileNotFoundError] if beside else [])):
            shutil.copyfile(f"{path}{beside}", f"{copy}{beside}")
    storage = _existing(replace(address, url=address.url.set(database=str(copy)), path=copy))
    if storage is None:
        folder.cleanup()
    else:
        weakref.finalize(storage, folder.cleanup)
    return storage


def _is_whole(engine: sqlalchemy.Engine) -> bool:
    """Return whether a database has everything that Optuna writes when it creates one.

    Another process may be creating it: if both wrote, one would fail.
    """
    if not all(map(sqlalchemy.inspect(engine).has_table, ("studies", "alembic_version"))):
        return False
    with engine.connect() as connection:
        version = connection.execute(sqlalchemy.text("SELECT 1 FROM alembic_version"))
        return version.first() is not None


@contextmanager
def without_logs() -> Iterator[None]:
    """Silence Optuna's logs in the block: errors reach the caller as exceptions."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.ERROR))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _rdb(address: Address, *, skip_table_creation: bool = False) -> RDBStorage:
    """Open a database whose tables are those of this Optuna.

    To check that, Optuna runs the files of all its migrations, eight times the work of opening: it
    is left out for versions of the tables that have passed in this process.
    """
    where, settings = _template(address), _engine_settings(address)
    storage = RDBStorage(
        where, settings, skip_compatibility_check=True, skip_table_creation=skip_table_creation
    )
    version = storage.get_current_version()
    if version not in _PASSED:
        storage.engine.dispose()
        storage = RDBStorage(where, settings, skip_table_creation=True)
        _PASSED.add(version)
    return storage


def _template(address: Address) -> str:
    """Return the URL as a template, which Optuna expects."""
    return address.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def _engine_settings(address: Address) -> dict[str, Any]:
    if address.is_postgresql:
        return {"connect_args": connect_args(address.url)}
    return {} if address.path is None else {"connect_args": {"timeout": _BUSY_SECONDS}}


def _prepare(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(f"the file is damaged ({answer})")
        connection.execute("PRAGMA journal_mode=WAL")


def is_storage_error(error: BaseException) -> bool:
    """Return whether the storage raised an error, not the code that uses it."""
    if isinstance(
        error, LookupError
    ):  # a bare LookupError is SQLAlchemy's: an unknown member of an enum
        return type(error) is LookupError or "Record does not exist" in str(error)
    return isinstance(error, (*_BROKEN, json.JSONDecodeError))


def reason(error: BaseException) -> str:
    """Return the first line of the innermost cause."""
    while error.__cause__ is not None and not isinstance(error, DBAPIError):
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
