"""A driver's one session with a PostgreSQL server: it locks the study and writes to it."""

import hashlib
import os
import socket
import time
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from autolr.errors import StorageBusyError
from autolr.study.address import Address

PATIENCE = 60.0  # seconds that a server may be unreachable: long enough for a restart
_PAUSE = 0.5  # seconds between attempts to connect
_NOTICE = 0.4  # seconds within which a server notices that a client was killed
_OURS = "autolr: "  # prefix of a session's application name

# of libpq: a server that vanished is noticed within a minute
_LIBPQ = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10}

_HOLDER = """
select a.application_name, a.pid, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SSOF')
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and (l.classid::bigint << 32 | l.objid::bigint) = {key}
  and l.database = (select oid from pg_database where datname = current_database())
"""


class Session:
    """A connection that holds an advisory lock on a study, and alone writes to it.

    The server releases the lock when the connection ends: at once when a driver is killed, after
    half a minute when its host loses power. A driver whose connection broke writes nothing before
    its new connection has the lock, so two drivers never write to one study. A pooler that shares
    sessions among clients (PgBouncer in transaction mode) cannot be used.

    Args:
        address: The storage.
        name: The study.

    Raises:
        StorageBusyError: If another session holds the study.
        OperationalError: If the server cannot be reached.
    """

    def __init__(self, address: Address, name: str) -> None:
        self._name = name
        self._shown = address.shown
        self._key = lock_key(f"study {name}")
        self._engine = sqlalchemy.create_engine(
            address.url, poolclass=NullPool, connect_args=connect_args(address.url)
        )
        self._fresh: Any = self._open()
        self._latest = self._fresh

    def connect(self) -> Any:
        """Return the connection for SQLAlchemy's ``creator``; a later call returns a new one.

        Raises:
            StorageBusyError: If another session has locked the study meanwhile.
            OperationalError: If the server is unreachable for longer than `PATIENCE`.
        """
        if self._fresh is None:
            self._latest = self._open_again()
            return self._latest
        fresh, self._fresh = self._fresh, None
        return fresh

    def close(self) -> None:
        """Release the study."""
        self._latest.close()

    def _open_again(self) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._open()
            except OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)

    def _open(self) -> Any:
        driver: Any = self._engine.dialect.loaded_dbapi
        try:
            pooled = self._engine.raw_connection()
        except driver.Error as error:
            raise OperationalError("connect", None, error) from error
        connection = pooled.driver_connection
        pooled.detach()
        try:
            self._take(connection)
        except BaseException:
            connection.close()  # type: ignore[union-attr]
            raise
        return connection

    def _take(self, connection: Any) -> None:
        who = f"{_OURS}process {os.getpid()} on {socket.gethostname()}".replace("'", "")
        cursor = connection.cursor()
        cursor.execute(f"select set_config('application_name', '{who}', false)")
        for setting in ("tcp_keepalives_idle = 15", "tcp_keepalives_interval = 5"):
            cursor.execute(f"set {setting}")
        cursor.execute("set tcp_keepalives_count = 3")
        end = time.monotonic() + _NOTICE
        while not _first(cursor, f"select pg_try_advisory_lock({self._key})")[0]:
            if time.monotonic() > end:
                raise self._busy(_first(cursor, _HOLDER.format(key=self._key)))
            time.sleep(_NOTICE / 10)
        connection.commit()

    def _busy(self, holder: Any) -> StorageBusyError:
        name, pid, since = holder or ("", "?", "just now")
        who = name.removeprefix(_OURS) if name.startswith(_OURS) else f"session {pid} of the server"
        return StorageBusyError.of(self._name, self._shown, f"{who} since {since}")


def connect_args(url: URL) -> dict[str, Any]:
    """Return the options of a connection; only drivers on libpq have them."""
    return dict(_LIBPQ) if url.get_driver_name().startswith("psycopg") else {}


def lock_key(text: str) -> int:
    """Return the key of an advisory lock: a signed integer of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"autolr {text}".encode()).digest()[:8], signed=True)


def _first(cursor: Any, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchone()
