"""Workers that are processes of this machine, each with devices of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from typing_extensions import override

from autolr.config import Config
from autolr.driver.devices import are_named, check_places, per_trial, shared_out, visible
from autolr.driver.engines import Engine
from autolr.driver.messages import FromWorker, Lost, ToWorker
from autolr.gpu_sharing import announced
from autolr.objective import modules_of
from autolr.study import Lease

_OWN_FAULTS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_WORKER = "autolr.driver.worker"
_OOM_SCORE = "500"  # of 1000: half of the memory more than it really uses


@dataclass(frozen=True, slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    pipe: "Connection[ToWorker, FromWorker]"
    lease: Lease


class LocalEngine(Engine):
    """Starts a process for each worker, in a session of its own.

    It sees its devices only, and prints to ``FOLDER/worker_N.log``. When this process is killed,
    the workers end too: their pipe closes.

    Args:
        devices: For each worker, by its number, its value of ``CUDA_VISIBLE_DEVICES``; None: as
            it is here.
        folder: Where the logs go.
        modules: What a worker imports before it is ready.
        trials_per_gpu: How many trials may share a worker's device, where those of other engines
            may be on it; 1: as many as these workers do.
    """

    def __init__(
        self,
        devices: Sequence[str | None] | Mapping[int, str | None],
        folder: Path,
        modules: Sequence[str] = (),
        trials_per_gpu: int = 1,
    ) -> None:
        self.workers = len(devices)
        self._devices = devices
        self._folder = folder
        self._modules = modules
        self._trials_per_gpu = trials_per_gpu
        self._workers: dict[int, _Worker] = {}
        self._oom_kills = _oom_kills()

    @classmethod
    @override
    def prepare(cls, config: Config, note: Callable[[str], None]) -> Config:
        """Refuse more workers than there are places for; see `Engine`."""
        check_places(config)
        return config

    @classmethod
    @override
    def place(cls, config: Config) -> "LocalEngine | None":
        """Give each worker its devices; see `Engine`."""
        tune, ranks = config.tune, per_trial(config.fit.get("trainer"))
        alone = tune.workers == 1 and ranks == 1 and tune.trial_timeout is None
        # A heartbeat cannot be sent from within a step, so a server's study gets a worker.
        if alone and not are_named() and len(visible()) <= 1 and tune.storage.startswith("sqlite"):
            return None
        devices = shared_out(tune.workers, ranks if visible() else 1, tune.trials_per_gpu)
        return cls(devices, tune.folder, modules_of(config))

    @override
    def start(self, worker: int) -> None:
        """Start a worker; see `Engine`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = Pipe()
        with self._log(worker).open("ab") as log, theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", _WORKER, str(theirs.fileno()), *self._modules],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(worker),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        with suppress(OSError):  # where memory runs out, it goes before the driver
            Path(f"/proc/{process.pid}/oom_score_adj").write_text(_OOM_SCORE)
        self._workers[worker] = _Worker(process, ours, Lease.of(process.pid))

    @override
    def send(self, worker: int, message: ToWorker) -> None:
        """Send a message; see `Engine`."""
        known = self._workers.get(worker)
        if known is not None:
            with suppress(OSError):  # it is gone, and `poll` will say so
                known.pipe.send(message)

    @override
    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return messages of workers; see `Engine`."""
        numbers = {known.pipe: number for number, known in self._workers.items()}
        received: list[tuple[int, FromWorker]] = []
        for pipe in wait(list(numbers), max(0.0, seconds)):
            assert isinstance(pipe, Connection)
            try:
                received.append((numbers[pipe], pipe.recv()))
            except (EOFError, OSError):
                received.append((numbers[pipe], self._lost(numbers[pipe])))
        return received

    @override
    def kill(self, worker: int) -> None:
        """End a worker and all that it has started; see `Engine`."""
        known = self._workers.pop(worker, None)
        if known is not None:
            with suppress(ProcessLookupError):
                os.killpg(known.process.pid, signal.SIGKILL)
            known.process.wait()
            known.pipe.close()

    @override
    def lease(self, worker: int) -> Lease | None:
        """Return the process that a worker is; see `Engine`."""
        return self._workers[worker].lease if worker in self._workers else None

    @override
    def close(self) -> None:
        """End all workers; see `Engine`."""
        for worker in list(self._workers):
            self.kill(worker)

    def _lost(self, worker: int) -> Lost:
        process = self._workers[worker].process
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        code = process.poll()
        self.kill(worker)  # what it has started may have outlived it
        if code is None or code >= 0:
            return Lost(f"it ended with status {code}, its output is in {self._log(worker)}", True)
        killer = signal.Signals(-code)
        before, self._oom_kills = self._oom_kills, _oom_kills()
        if killer == signal.SIGKILL and self._oom_kills > before:
            return Lost("it was ended by the system, which is out of memory", True)
        return Lost(f"it was ended by {killer.name}", killer in _OWN_FAULTS)

    def _log(self, worker: int) -> Path:
        return self._folder / f"worker_{worker}.log"

    def _environment(self, worker: int) -> dict[str, str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = max(1, (cores or 1) // len(self._devices))
        environment.setdefault("OMP_NUM_THREADS", str(threads))
        if (devices := self._devices[worker]) is not None:
            environment["CUDA_VISIBLE_DEVICES"] = devices
        return environment | announced(max(self._sharers(worker), self._trials_per_gpu))

    def _sharers(self, worker: int) -> int:
        given = self._devices
        values = list(given.values() if isinstance(given, Mapping) else given)
        return values.count(given[worker]) if given[worker] is not None else 1


def _oom_kills() -> int:
    """Return how many processes this system has ended so far for want of memory."""
    try:
        counters = Path("/proc/vmstat").read_text()
    except OSError:
        return 0
    count = re.search(r"^oom_kill (\d+)$", counters, re.M)
    return int(count[1]) if count else 0
