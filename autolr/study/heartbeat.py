"""Who works on a study or a trial, and whether they still can."""

import os
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autolr.errors import StorageBusyError, StorageError
from autolr.storage_url import shown
from autolr.study.address import locate
from autolr.study.handle import Study
from autolr.study.reading import peek
from autolr.study.summary import Summary

LEASE_SECONDS = 60.0  # how long a holder on another host is believed without a word from it
_DRIVER = "driver"  # the study's attribute that names its driver


@dataclass(frozen=True, slots=True)
class Lease:
    """A process that holds something, named so that no later one is taken for it.

    Attributes:
        host: Its host.
        boot: Identifies the host's present boot.
        pid: Its process id.
        started: When it started, as its host says it.
        until: Unix time up to which other hosts believe that it is there.
    """

    host: str
    boot: str
    pid: int
    started: str
    until: float

    @classmethod
    def of(cls, pid: int | None = None) -> "Lease":
        """Return a lease for a process of this host, beginning now."""
        number = os.getpid() if pid is None else pid
        until = round(time.time() + LEASE_SECONDS, 3)
        return cls(socket.gethostname(), _boot(), number, _started(number) or "", until)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Lease":
        """Return the lease that `to_dict` described."""
        return cls(**mapping)

    @classmethod
    def read(cls, value: object) -> "Lease | None":
        """Return the lease that a study's attribute describes; None: it is none, or another's."""
        kinds = {"host": str, "boot": str, "pid": int, "started": str, "until": float}
        if not isinstance(value, Mapping) or value.keys() != kinds.keys():
            return None
        return cls(**value) if all(isinstance(value[k], t) for k, t in kinds.items()) else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    @property
    def here(self) -> bool:
        """Whether it is a process of this host, as long as it is up."""
        return (self.host, self.boot) == (socket.gethostname(), _boot())

    @property
    def held(self) -> bool:
        """Whether the process may still be there: exactly known here, elsewhere by its time."""
        if self.host == socket.gethostname():
            return self.here and _started(self.pid) == self.started
        return time.time() < self.until

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def end(self) -> None:
        """Kill the process and its group, if it is of this host, a group's leader and not us."""
        if not (self.here and self.held) or self.pid == os.getpid():
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, 9)


class Heartbeat:
    """A driver's word, kept with the study, that it is still there.

    The lock of `locked` does not reach other hosts; this does, for as long as their clocks agree
    to within `LEASE_SECONDS`. Two that begin within the same instant are not told apart.
    """

    def __init__(self, handle: Study) -> None:
        self._handle = handle
        self._due = 0.0
        self._path = locate(handle._url).path
        self._file = _identity(self._path)

    def check(self) -> None:
        """See that the database's file is still the one that the study was opened in.

        Raises:
            StorageError: If it was deleted or replaced: what is written to it is lost.
        """
        if _identity(self._path) != self._file:
            raise StorageError(
                f"{self._path} was deleted or replaced while study {self._handle.name!r} ran: "
                "trials are kept no more"
            )

    def renew(self) -> None:
        """Say that this process works on the study, if it was not said lately."""
        if time.monotonic() >= self._due:
            self.check()
            self._handle.set_attr(_DRIVER, Lease.of().to_dict())
            self._due = time.monotonic() + LEASE_SECONDS / 3

    def end(self) -> None:
        """Say that nobody does any more."""
        self._handle.set_attr(_DRIVER, None)


def holder(stored: Summary) -> Lease | None:
    """Return the driver that works on a study, None if none does or it is dead, as far as known."""
    lease = Lease.read(stored.attrs.get(_DRIVER))
    return lease if lease is not None and lease.held else None


def check_unheld(url: str, name: str) -> None:
    """Refuse a study that a driver elsewhere works on.

    Raises:
        StorageBusyError: If one does.
    """
    stored = peek(url, name)
    found = None if stored is None else holder(stored)
    if found is not None and not (found.here and found.pid == os.getpid()):
        raise StorageBusyError(
            f"study {name!r} in {shown(url)} is in use by {found}; wait for it, end it, or give "
            "another --study"
        )


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another of its name; None if it is not there."""
    with suppress(OSError):
        if path is not None:
            found = path.stat()
            return found.st_dev, found.st_ino
    return None


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _started(pid: int) -> str | None:
    """Return when a process started, in a form of the system's own; None: it is not there."""
    if not Path("/proc/self/stat").exists():
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started
