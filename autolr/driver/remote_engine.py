"""Workers that come by themselves: each is an ``autolr worker`` on some host."""

import json
import os
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import (
    Connection,
    answer_challenge,
    deliver_challenge,
    wait,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr.driver.messages import FromWorker, Lost, Over, ToWorker
from autolr.errors import ConfigError
from autolr.study import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_ANSWER_WITHIN = 5.0  # seconds for each word until both know that the other one has the key
_KEPT_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}  # gone after 30 s


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a driver takes workers, as it is written in its folder.

    Attributes:
        host: Its name or address.
        port: The port.
        key: What a worker must know; only the folder's owner can read it.
        over: Whether the study is complete, and no worker is needed any more.
    """

    host: str
    port: int
    key: str
    over: bool = False

    @classmethod
    def read(cls, folder: Path) -> "Endpoint | None":
        """Return the endpoint of the driver in a folder; None: there is none."""
        try:
            return cls(**json.loads((folder / _FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Show the endpoint to whoever may read the owner's files."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_FILE}.new"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        draft.replace(folder / _FILE)  # never half a file

    def enter(self) -> "Connection[Any, Any]":
        """Return a connection to the driver.

        Raises:
            OSError: If nobody answers in time.
            EOFError: If whoever is there hangs up.
            AuthenticationError: If somebody else answers.
        """
        with socket.create_connection((self.host, self.port), _ANSWER_WITHIN) as found:
            found.settimeout(None)
            pipe: Connection[Any, Any] = Connection(found.detach())
        _introduce(pipe, self.key, (answer_challenge, deliver_challenge))
        return pipe


_FILE = "driver.json"


class RemoteEngine:
    """Takes workers as they come, and lets them go.

    The driver alone decides and touches the storage; a worker is at the other end of a TCP
    connection, authenticated by a key that lies in the folder of results, which must be the same
    on all hosts (a shared file system), for checkpoints are there too. What is said is not
    encrypted: use a private network. A trial belongs to its worker for as long as the connection
    lives: of a host that is gone without a word it breaks after half a minute, on both sides. Then
    the trial goes on elsewhere, from its checkpoint. Should two workers train it for a moment, they
    write the same: a job follows from its checkpoint bit for bit.

    Args:
        folder: The folder of results.
        host: The name or address of this host that workers can reach; "": its own name.

    Raises:
        ConfigError: If the host's name cannot be listened at.
    """

    def __init__(self, folder: Path, host: str = "") -> None:
        self._folder = folder
        name = host or socket.gethostname()
        try:
            self._listener = socket.create_server((name, 0), backlog=128)
        except OSError as error:
            expected = f"an address of this host that workers can reach ({error.strerror})"
            raise ConfigError.of("tune.listen", name, expected) from None
        self._endpoint = Endpoint(name, self._listener.getsockname()[1], os.urandom(24).hex())
        self._guests: deque[Connection[ToWorker, list[FromWorker]]] = deque()
        self._free: dict[int, list[ToWorker]] = {}  # seats, and what was said to them meanwhile
        self._pipes: dict[int, Connection[ToWorker, list[FromWorker]]] = {}
        self._unheard: dict[int, list[ToWorker]] = {}  # who came and said nothing, told this
        self._over = False
        threading.Thread(target=self._receive, daemon=True).start()
        self._endpoint.write(folder)

    def start(self, worker: int) -> None:
        """Keep a seat for a worker that comes; see `Engine`."""
        self._free[worker] = []

    def send(self, worker: int, message: ToWorker) -> None:
        """Send a message, to one that has not come yet as soon as it does; see `Engine`."""
        self._over = self._over or isinstance(message, Over)
        if worker in self._free:
            self._free[worker].append(message)
        elif worker in self._pipes:
            self._unheard.get(worker, []).append(message)
            with suppress(OSError):  # it is gone, and `poll` will say so
                self._pipes[worker].send(message)

    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return what workers have said; see `Engine`."""
        self._seat_guests()
        numbers = {pipe: number for number, pipe in self._pipes.items()}
        heard: list[tuple[int, FromWorker]] = []
        for pipe in wait(list(numbers), max(0.0, seconds)):
            assert isinstance(pipe, Connection)
            heard += [(numbers[pipe], message) for message in self._news(numbers[pipe], pipe)]
        return heard

    def kill(self, worker: int) -> None:
        """Turn a worker out: it ends all that it has started, and comes again; see `Engine`."""
        self._free.pop(worker, None)
        self._unheard.pop(worker, None)
        pipe = self._pipes.pop(worker, None)
        if pipe is not None:
            pipe.close()

    def lease(self, worker: int) -> Lease | None:
        """Return None: workers of a driver that is gone end by themselves; see `Engine`."""
        return None

    def close(self) -> None:
        """End all workers' trials; see `Engine`."""
        if self._over:
            replace(self._endpoint, over=True).write(self._folder)
        else:
            (self._folder / _FILE).unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # `accept` returns
        self._listener.close()
        for pipe in (*self._pipes.values(), *self._guests):
            pipe.close()

    def _news(
        self, worker: int, pipe: "Connection[ToWorker, list[FromWorker]]"
    ) -> list[FromWorker]:
        told = self._unheard.pop(worker, None)
        try:
            messages: list[FromWorker] = pipe.recv()
        except (EOFError, OSError):
            messages = [Lost("its connection broke", own_fault=False)]
        if any(isinstance(message, Lost) for message in messages):
            self.kill(worker)
        match messages:
            case [Lost(own_fault=False)] if told is not None:
                self._free[worker] = told  # whoever comes next takes its place
                return []
        return messages

    def _seat_guests(self) -> None:
        while self._guests and self._free:
            worker = min(self._free)
            pipe = self._pipes[worker] = self._guests.popleft()
            told = self._unheard[worker] = self._free.pop(worker)
            for message in told:
                with suppress(OSError):
                    pipe.send(message)

    def _receive(self) -> None:
        for guest in _accepted(self._listener):
            threading.Thread(target=self._admit, args=[guest], daemon=True).start()

    def _admit(self, pipe: "Connection[Any, Any]") -> None:
        with suppress(AuthenticationError, OSError, EOFError):
            _introduce(pipe, self._endpoint.key, (deliver_challenge, answer_challenge))
            self._guests.append(pipe)


def _accepted(listener: socket.socket) -> "Iterator[Connection[Any, Any]]":
    """Yield connections until the listener is closed."""
    while True:
        try:
            found, _ = listener.accept()
        except OSError:
            return
        yield Connection(found.detach())


def _introduce(
    pipe: "Connection[Any, Any]", key: str, steps: "Sequence[Callable[[Any, bytes], None]]"
) -> None:
    """Have both sides prove that they know the key, each word in time; else close the connection.

    Later on nobody is in a hurry, but it breaks if the other host is gone without a word.
    """
    try:
        with socket.socket(fileno=os.dup(pipe.fileno())) as found:
            _limit(found, _ANSWER_WITHIN)
            for step in steps:
                step(pipe, key.encode())
            _limit(found, 0.0)
            _keep_alive(found)
    except AssertionError as error:  # what Python 3.11 has for an answer that is none
        pipe.close()
        raise AuthenticationError(str(error)) from None
    except BaseException:
        pipe.close()
        raise


def _limit(found: socket.socket, seconds: float) -> None:
    """Have a word that takes longer raise BlockingIOError; 0: it may take for ever."""
    whole, part = divmod(seconds, 1)
    limit = struct.pack("@ll", int(whole), int(part * 1e6))  # C's timeval
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        found.setsockopt(socket.SOL_SOCKET, option, limit)


def _keep_alive(found: socket.socket) -> None:
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEPT_ALIVE.items():
        if hasattr(socket, name):  # not on every system
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
