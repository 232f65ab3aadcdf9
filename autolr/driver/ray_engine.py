"""Workers on the nodes of a Ray cluster."""

import importlib
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from autolr.config import Config
from autolr.driver.devices import per_trial
from autolr.driver.engines import Engine
from autolr.driver.local import LocalEngine
from autolr.driver.messages import Failed, FromWorker, Lost, ToWorker
from autolr.driver.wire import from_json, to_json
from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.objective import modules_of
from autolr.study import Lease

_LONG = 30.0  # seconds that a poll stays open: few calls of Ray while nothing happens
_SHARED_WITHIN = 10.0  # seconds in which a new file shows up on other nodes, which cache folders
_END_WITHIN = 2.0  # seconds that a node has to end a worker; one that is lost never answers
_CALLS = 3  # at a time: a poll, a message, the end


class RayEngine(Engine):
    """Has an actor of Ray's for each worker, which starts it on its node as a process of its own.

    Ray places the actors; a node that is lost takes its workers along, and their trials are
    resumed elsewhere from their checkpoints. For that the driver's working folder and the folder of
    results must be the same on all nodes (a shared file system); a node where they are not is
    refused. Connects to the cluster that ``RAY_ADDRESS`` names or that runs here, else starts one.
    A worker for which there is no room waits for it. Messages are JSON; Ray itself pickles what its
    processes exchange, and anyone who can connect to the cluster can run code on it.

    Args:
        ranks: Devices that a trial needs.
        sharing: How many trials share a GPU.
        gpus: Whether it may have GPUs.
        folder: Where the logs go.
        modules: What a worker imports before it is ready.

    Raises:
        ConfigError: If Ray is not installed, or the cluster is not there.
    """

    def __init__(
        self, ranks: int, sharing: int, gpus: bool, folder: Path, modules: Sequence[str] = ()
    ) -> None:
        self._ray = _ray()
        self._started = not self._ray.is_initialized()
        if self._started:
            _connect(self._ray)
        self._gpus = int(self._ray.cluster_resources().get("GPU", 0)) if gpus else 0
        needs = {"num_cpus": 1, "num_gpus": ranks / sharing} if self._gpus else {"num_cpus": ranks}
        self._remote = self._ray.remote(max_concurrency=_CALLS, **needs)(Guard)
        self.workers = max(1, self._gpus // ranks * sharing)  # "auto": one for each trial with GPUs
        self._folder = folder
        self._modules = modules
        self._sharing = sharing
        self._secret = _marked(folder)
        self._actors: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}  # workers by the answer that is waited for
        self._answering: set[int] = set()  # workers that have answered

    @classmethod
    @override
    def place(cls, config: Config) -> "RayEngine":
        """Connect to the cluster; see `Engine`."""
        trainer = config.fit.get("trainer")
        on_cpu = isinstance(trainer, Mapping) and trainer.get("accelerator") == "cpu"
        needs = per_trial(trainer), config.tune.trials_per_gpu, not on_cpu
        made = cls(*needs, config.tune.folder, modules_of(config))
        if isinstance(config.tune.workers, int):
            made.workers = config.tune.workers
        return made

    @override
    def start(self, worker: int) -> None:
        """Start a worker where there is room; see `Engine`."""
        place = str(Path.cwd()), str(self._folder), self._secret
        self._actors[worker] = self._remote.remote(
            worker, *place, sys.path, self._modules, self._sharing
        )
        self._ask(worker)

    @override
    def send(self, worker: int, message: ToWorker) -> None:
        """Send a message; see `Engine`."""
        if worker in self._actors:
            self._actors[worker].send.remote(to_json(message))

    @override
    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return messages of workers; see `Engine`."""
        if not self._pending:
            time.sleep(max(0.0, seconds))
            return []
        answers, _ = self._ray.wait(list(self._pending), timeout=max(0.0, seconds))
        received: list[tuple[int, FromWorker]] = []
        for answer in answers:
            worker = self._pending.pop(answer)
            received += [(worker, message) for message in self._messages_in(worker, answer)]
        return received

    @override
    def kill(self, worker: int) -> None:
        """End a worker and all that it has started; see `Engine`."""
        actor = self._actors.pop(worker, None)
        if actor is None:
            return
        self._pending = {
            answer: other for answer, other in self._pending.items() if other != worker
        }
        if worker in self._answering:
            self._answering.remove(worker)
            with suppress(self._ray.exceptions.RayError):
                self._ray.get(actor.end.remote(), timeout=_END_WITHIN)
        self._ray.kill(actor)

    @override
    def lease(self, worker: int) -> Lease | None:
        """Return the process that a worker is; see `Engine`."""
        if worker in self._actors:
            with suppress(self._ray.exceptions.RayError):
                lease = self._ray.get(self._actors[worker].lease.remote(), timeout=_END_WITHIN)
                return None if lease is None else Lease.from_dict(lease)
        return None

    @override
    def close(self) -> None:
        """End all workers, and the connection if it was made here; see `Engine`."""
        for worker in list(self._actors):
            self.kill(worker)
        if self._started:
            self._ray.shutdown()

    def _ask(self, worker: int) -> None:
        self._pending[self._actors[worker].poll.remote(_LONG)] = worker

    def _messages_in(self, worker: int, answer: Any) -> list[FromWorker]:
        try:
            sent = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            self._answering.discard(worker)
            own_fault = isinstance(error, self._ray.exceptions.OutOfMemoryError)
            return [Lost(f"its node or its actor is gone ({type(error).__name__})", own_fault)]
        messages: list[FromWorker] = from_json(sent, FromWorker)
        self._answering.add(worker)
        if not any(isinstance(message, Lost) for message in messages):
            self._ask(worker)
        return messages


class Guard:
    """On a node: starts a worker, and passes on what it and the driver say to each other.

    Args:
        worker: Its number.
        here: The driver's working folder.
        folder: Where the logs go.
        secret: What is written in a file there if it is the driver's.
        path: Where the driver finds modules.
        modules: What a worker imports before it is ready.
        sharing: How many trials share its GPU.
    """

    def __init__(
        self,
        worker: int,
        here: str,
        folder: str,
        secret: str,
        path: Sequence[str],
        modules: Sequence[str] = (),
        sharing: int = 1,
    ) -> None:
        self._worker = worker
        self._refusal: Failed | None = None
        devices = {worker: None}  # Ray has set what it sees
        self._engine = LocalEngine(devices, Path(folder), modules, sharing)
        if not _is_shared(Path(here), Path(folder), secret):
            where = f"the same on all nodes of the cluster (not so on {socket.gethostname()})"
            reason = str(ConfigError.of("out", str(Path(here, folder)), where))
            self._refusal = Failed(ConfigError.__name__, reason)
            return
        sys.path += [entry for entry in path if entry not in sys.path]
        self._engine.start(worker)

    def poll(self, seconds: float) -> bytes:
        """Return what the worker has said, after ``seconds`` at most."""
        if self._refusal is not None:
            return to_json(self._refusal)
        with suppress(KeyError, OSError):  # it was ended meanwhile
            return to_json(*(message for _, message in self._engine.poll(seconds)))
        return to_json()

    def send(self, messages: bytes) -> None:
        """Pass messages on."""
        for message in from_json(messages, ToWorker):
            self._engine.send(self._worker, message)

    def lease(self) -> dict[str, Any] | None:
        """Return the process that the worker is, as `Lease` describes it."""
        lease = self._engine.lease(self._worker)
        return None if lease is None else lease.to_dict()

    def end(self) -> None:
        """End the worker and all that it has started."""
        self._engine.close()


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ConfigError.of(
            "tune.engine", "ray", f"local, or Ray be installed: {install_command('ray')}"
        ) from None


def _connect(ray: Any) -> None:
    """Connect to a cluster, and keep the present answer to SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        address = os.environ.get("RAY_ADDRESS", "")
        expected = f"the address of a cluster that is there ({str(error).splitlines()[0]})"
        raise ConfigError.of("RAY_ADDRESS", address, expected) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _marked(folder: Path) -> str:
    """Leave a secret in the driver's folder, by which a node knows that it has the same one."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = uuid.uuid4().hex
    (folder / ".driver").write_text(secret)
    return secret


def _is_shared(here: Path, folder: Path, secret: str) -> bool:
    """Enter the driver's working folder, and return whether its folder of results is there."""
    end = time.monotonic() + _SHARED_WITHIN
    while True:
        with suppress(OSError):
            os.chdir(here)
            if (folder / ".driver").read_text() == secret:
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
