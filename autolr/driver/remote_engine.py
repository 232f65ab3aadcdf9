"""Workers on other hosts, which connect by themselves: each is an ``autolr worker``."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from autolr import study
from autolr.config import Config
from autolr.driver.admission import Admission
from autolr.driver.channel import Channel, ready
from autolr.driver.endpoint import FILE, Endpoint
from autolr.driver.engines import Engine
from autolr.driver.events import WorkersAwaited
from autolr.driver.messages import FromWorker, Lost, StudyOver, ToWorker
from autolr.driver.trust import check_shared
from autolr.driver.wire import WireError
from autolr.errors import ConfigError
from autolr.study import Lease, Session

_READY_WITHIN = 120.0  # seconds that a worker may be silent at first while others wait for its slot
_MANY = 256  # for workers: "auto"; each costs the pool a record of a few fields
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Silent:
    """A worker that has sent nothing yet: what it was sent, and since when it has its slot."""

    sent: list[ToWorker]
    since: float = field(default_factory=time.monotonic)


class RemoteEngine(Engine):
    """Takes workers as they connect, and lets them leave.

    The driver alone decides and touches the storage; a worker is at the other end of a TCP
    connection, authenticated by a key that lies in the folder of results, which must be the same
    on all hosts (a shared file system), for checkpoints are there too. Messages are not
    encrypted: use a private network. A trial belongs to its worker for as long as the connection
    lives: of a host that is suddenly gone it breaks after half a minute, on both sides. Then
    the trial is resumed elsewhere, from its checkpoint. If two workers train it for a while, they
    write the same: a job follows from its checkpoint bit for bit.

    Args:
        folder: The folder of results.
        host: The name or address of this host that workers can reach; "": its own name.

    Raises:
        ConfigError: If the host's name cannot be listened at, or everybody can write to the folder.
    """

    def __init__(self, folder: Path, host: str = "") -> None:
        self.workers = _MANY
        self._folder = folder
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)  # whatever the umask is
        check_shared(folder)
        name = host or socket.gethostname()
        try:
            listener = socket.create_server((name, 0), backlog=128)
        except OSError as error:
            expected = f"an address of this host that workers can reach ({error.strerror})"
            raise ConfigError.of("tune.listen", name, expected) from None
        self._endpoint = Endpoint(name, listener.getsockname()[1], os.urandom(24).hex())
        self._waiting: deque[Channel] = deque()  # workers without a slot
        self._free: dict[int, list[ToWorker]] = {}  # slots, and what was sent to them meanwhile
        self._channels: dict[int, Channel] = {}
        self._silent: dict[int, _Silent] = {}
        self._over = False
        self._admission = Admission(listener, self._endpoint.key, self._admit)
        self._endpoint.write(folder)

    @classmethod
    @override
    def prepare(cls, config: Config, note: Callable[[str], None]) -> Config:
        """Check the folder, and name it so that workers in another one find it; see `Engine`."""
        if (line := check_shared(config.tune.folder)) is not None:
            note(line)
        return replace(config, tune=config.tune.override(out=config.tune.folder.absolute()))

    @classmethod
    @override
    def place(cls, config: Config) -> "RemoteEngine":
        """Accept workers from now on; see `Engine`."""
        made = cls(config.tune.folder, config.tune.listen or "")
        if isinstance(config.tune.workers, int):
            made.workers = config.tune.workers
        return made

    @override
    @contextmanager
    def announced(
        self, config: Config, session: Session | None, listener: Callable[[Any], None]
    ) -> Iterator[None]:
        """Have the study name its folder, where workers look; see `Engine`."""
        tune = config.tune
        with study.announced(
            tune.storage,
            tune.study,
            tune.folder,
            direction=tune.direction,
            cost=tune.cost,
            session=session,
        ):
            listener(WorkersAwaited(tune.folder))
            yield

    @override
    def start(self, worker: int) -> None:
        """Keep a slot for the next worker; see `Engine`."""
        self._free[worker] = []

    @override
    def send(self, worker: int, message: ToWorker) -> None:
        """Send a message, to one that has not connected yet as soon as it does; see `Engine`."""
        self._over = self._over or isinstance(message, StudyOver)
        if worker in self._free:
            self._free[worker].append(message)
        elif worker in self._channels:
            if worker in self._silent:
                self._silent[worker].sent.append(message)
            with suppress(OSError):  # it is gone, and `poll` will say so
                self._channels[worker].send(message)

    @override
    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return messages of workers; see `Engine`."""
        self._give_slots()
        numbers = {channel: number for number, channel in self._channels.items()}
        received: list[tuple[int, FromWorker]] = []
        for channel in ready(numbers, max(0.0, seconds)):
            number = numbers[channel]
            received += [(number, message) for message in self._messages_of(number, channel)]
        return received

    @override
    def kill(self, worker: int) -> None:
        """Disconnect a worker: it ends what it has started, and connects again; see `Engine`."""
        self._free.pop(worker, None)
        self._silent.pop(worker, None)
        channel = self._channels.pop(worker, None)
        if channel is not None:
            channel.close()

    @override
    def lease(self, worker: int) -> Lease | None:
        """Return None: workers of a driver that is gone end by themselves; see `Engine`."""
        return None

    @override
    def close(self) -> None:
        """End all workers' trials; see `Engine`."""
        if self._over:
            replace(self._endpoint, over=True).write(self._folder)
        else:
            (self._folder / FILE).unlink(missing_ok=True)
        self._admission.close()
        for channel in (*self._channels.values(), *self._waiting):
            channel.close()

    def _messages_of(self, worker: int, channel: Channel) -> list[FromWorker]:
        messages: list[FromWorker]
        silent = self._silent.get(worker)
        try:
            messages = channel.receive()
        except WireError as error:
            _log.warning("worker %d is dropped, what it sent is no message: %s", worker, error)
            messages = [Lost("what it sent is no message", own_fault=False)]
        except (EOFError, OSError):
            messages = [Lost("its connection broke", own_fault=False)]
        if messages:
            self._silent.pop(worker, None)
        if any(isinstance(message, Lost) for message in messages):
            self.kill(worker)
        match messages:
            case [Lost(own_fault=False)] if silent is not None:
                self._free[worker] = silent.sent  # the next one takes its place
                return []
        return messages

    def _give_slots(self) -> None:
        if self._waiting and not self._free:
            self._free_silent()
        while self._waiting and self._free:
            worker = min(self._free)
            channel = self._channels[worker] = self._waiting.popleft()
            self._silent[worker] = silent = _Silent(self._free.pop(worker))
            for message in silent.sent:
                with suppress(OSError):
                    channel.send(message)

    def _free_silent(self) -> None:
        """Free the slots of workers that have long been silent, for those that wait."""
        for worker, silent in list(self._silent.items()):
            if time.monotonic() > silent.since + _READY_WITHIN:
                self.kill(worker)
                self._free[worker] = silent.sent

    def _admit(self, connection: socket.socket) -> None:
        self._waiting.append(Channel(connection, FromWorker))
