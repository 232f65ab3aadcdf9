"""One driver per study: a lock that is released when its process dies."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from autolr.atomic import write_atomically
from autolr.errors import ConfigError, StorageBusyError
from autolr.study.address import Address, check_name, locate
from autolr.study.session import Session
from autolr.study.storage import storage_errors

_HOLDER_WITHIN = 1.0  # seconds: a process that took the lock names itself within milliseconds


@contextmanager
def locked(url: str, name: str, folder: Path | str | None = None) -> Iterator[Session | None]:
    """Hold the lock of a study for a ``with`` block; fail at once if another process has it.

    The lock is the operating system's, on a file beside the database: it is released at once when
    its process dies. A second file names the process, for the message. Folders are created. On a
    PostgreSQL server the lock is the server's, which holds among all hosts; the block gets its
    `Session`.

    Args:
        url: The storage.
        name: The study.
        folder: Where the lock file is if the storage is another server; the lock then holds only
            among drivers that share this folder.

    Raises:
        ConfigError: If ``url`` or ``name`` cannot work, or ``folder`` is missing.
        StorageBusyError: If another process (or this one) holds the study.
        StorageError: If no lock file can be written.
    """
    address = locate(url)
    check_name(name)
    if address.is_postgresql:
        with storage_errors(url, reading=True):
            session = Session(address, name)
        try:
            yield session
        finally:
            session.close()
        return
    path = lock_path(address, name, folder)
    holder = path.with_name(f"{path.name}.holder")
    lock = FileLock(path)
    with storage_errors(url):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StorageBusyError.of(name, address.shown, _read_holder(holder)) from None
    try:
        with storage_errors(url):
            _write_holder(holder)
        yield None
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def lock_path(address: Address, name: str, folder: Path | str | None) -> Path:
    """Return the file of a study's lock.

    Args:
        address: The storage.
        name: The study.
        folder: Where the file is if the storage is a server.

    Raises:
        ConfigError: If it is one, and ``folder`` is missing.
    """
    if address.path is not None:
        return address.path.with_name(f"{address.path.name}.{name}.lock")
    if folder is None:
        raise ConfigError.of("folder", folder, "given for a storage that is no file")
    return Path(folder).absolute() / f"{name}.lock"


def _write_holder(path: Path) -> None:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    write_atomically(path, json.dumps(holder))


def _read_holder(path: Path) -> str:
    """Return the process that has the lock; the file may still name its predecessor."""
    end = time.monotonic() + _HOLDER_WITHIN
    while time.monotonic() < end:
        with suppress(OSError, ValueError, KeyError):
            who = json.loads(path.read_text("utf-8"))
            if who["host"] != socket.gethostname() or _is_there(who["pid"]):
                return f"process {who['pid']} on {who['host']} since {who['since']}"
        time.sleep(0.01)
    return "another process"


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
