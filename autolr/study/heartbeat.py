"""The process that works on a study or a trial, and whether it is alive."""

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

LEASE_SECONDS = 60.0  # a process on another host counts as alive so long after it renewed its lease
_DRIVER = "driver"  # the study's attribute that names its driver


@dataclass(frozen=True, slots=True)
class Lease:
    """A process that holds a study or a trial, identified across reboots and reused process ids.

    Attributes:
        host: Its host.
        boot: Identifies the host's present boot.
        pid: Its process id.
        started: When it started, in a format of its host.
        until: Unix time in seconds until which other hosts count it as alive.
    """

    host: str
    boot: str
    pid: int
    started: str
    until: float

    @classmethod
    def of(cls, pid: int | None = None) -> "Lease":
        """Return a lease, from now on, for a process of this host; None: this process."""
        number = os.getpid() if pid is None else pid
        until = round(time.time() + LEASE_SECONDS, 3)
        return cls(socket.gethostname(), _boot(), number, _started(number) or "", until)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Lease":
        """Return the lease that `to_dict` wrote."""
        return cls(**mapping)

    @classmethod
    def read(cls, value: object) -> "Lease | None":
        """Return the lease in a study's attribute; None if it is not a lease."""
        kinds = {"host": str, "boot": str, "pid": int, "started": str, "until": float}
        if not isinstance(value, Mapping) or value.keys() != kinds.keys():
            return None
        return cls(**value) if all(isinstance(value[k], t) for k, t in kinds.items()) else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    @property
    def here(self) -> bool:
        """Whether it is a process of this host since its last boot."""
        return (self.host, self.boot) == (socket.gethostname(), _boot())

    @property
    def held(self) -> bool:
        """Whether the process may be alive: known exactly on this host, by ``until`` on others."""
        if self.host == socket.gethostname():
            return self.here and _started(self.pid) == self.started
        return time.time() < self.until

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def end(self) -> None:
        """Kill the process and its group, if it is another group leader of this host."""
        if not (self.here and self.held) or self.pid == os.getpid():
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, 9)


class Heartbeat:
    """A lease that a driver renews in the study while it works.

    The lock of `locked` does not reach other hosts; the lease does, if their clocks agree to within
    `LEASE_SECONDS`. It cannot stop two drivers that start at the same time.
    """

    def __init__(self, handle: Study) -> None:
        self._handle = handle
        self._due = 0.0
        self._path = locate(handle._url).path
        self._file = _identity(self._path)

    def check(self) -> None:
        """Check that the database's file is the one in which the study was opened.

        Raises:
            StorageError: If it was deleted or replaced: trials would be lost.
        """
        if _identity(self._path) != self._file:
            raise StorageError(
                f"{self._path} was deleted or replaced while study {self._handle.name!r} ran: "
                "trials are no longer stored"
            )

    def renew(self) -> None:
        """Renew the lease if a third of it has passed."""
        if time.monotonic() >= self._due:
            self.check()
            self._handle.set_attr(_DRIVER, Lease.of().to_dict())
            self._due = time.monotonic() + LEASE_SECONDS / 3

    def end(self) -> None:
        """Remove the lease."""
        self._handle.set_attr(_DRIVER, None)


def holder(stored: Summary) -> Lease | None:
    """Return the driver that works on a study; None if there is none or it is known to be dead."""
    lease = Lease.read(stored.attrs.get(_DRIVER))
    return lease if lease is not None and lease.held else None


def check_unheld(url: str, name: str) -> None:
    """Refuse a study that another driver works on.

    Args:
        url: The storage.
        name: The study.

    Raises:
        StorageBusyError: If another driver has a lease of it.
    """
    stored = peek(url, name)
    driver = None if stored is None else holder(stored)
    if driver is not None and not (driver.here and driver.pid == os.getpid()):
        raise StorageBusyError.of(name, shown(url), driver)


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Return the device and inode of a file, which a new file of its name does not share."""
    with suppress(OSError):
        if path is not None:
            status = path.stat()
            return status.st_dev, status.st_ino
    return None


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _started(pid: int) -> str | None:
    """Return when a process started, in the system's own format; None if there is none."""
    if not Path("/proc/self/stat").exists():
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started
