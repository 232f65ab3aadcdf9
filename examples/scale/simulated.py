"""Workers that train nothing: a trial's scores follow from its rate, and some workers die."""

import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autolr.config import Config, fingerprint, read_config
from autolr.driver.controller import TrialController
from autolr.driver.engines import Engine
from autolr.driver.events import Event
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    Checked,
    Done,
    FromWorker,
    LeaveTrial,
    Lost,
    Ready,
    Scored,
    ToWorker,
    TrainTrial,
)
from autolr.driver.pool import Pool
from autolr.driver.signals import Shutdown
from autolr.job import Decision, TrialJob, TrialResult
from autolr.study import Hyperband, Lease, Study, open_study

RUN_STEPS = 243


@dataclass
class _Simulated:
    """A worker: the messages that it will send, and its job."""

    outbox: deque[FromWorker] = field(default_factory=lambda: deque([Ready()]))
    job: TrialJob | None = None
    step: int = 0


class SimulatedEngine(Engine):
    """Runs workers that score a trial by its rate at once.

    Args:
        deaths: The probability that a worker dies instead of sending a message.
        seed: Of the deaths, and of the order of messages.

    Attributes:
        trained: All steps, including those that were repeated after a death.
        waited: Seconds from each score to its answer.
    """

    workers = 8

    def __init__(self, deaths: float = 0.0, seed: int = 0) -> None:
        self.trained = 0
        self.waited: list[float] = []
        self._deaths = deaths
        self._draw = random.Random(seed)
        self._workers: dict[int, _Simulated] = {}
        self._written: dict[str, int] = {}  # of a trial's folder, the step in its checkpoint
        self._reported: dict[int, float] = {}

    @classmethod
    def place(cls, config: Config) -> "SimulatedEngine":
        """Return workers that never die; see `Engine`."""
        return cls()

    def start(self, worker: int) -> None:
        """Start a worker; see `Engine`."""
        self._workers[worker] = _Simulated()

    def send(self, worker: int, message: ToWorker) -> None:
        """Handle a message; see `Engine`."""
        one = self._workers[worker]
        match message:
            case CheckConfig():
                one.outbox.append(Checked(RUN_STEPS))
            case TrainTrial(job):
                one.job = job
                one.step = self._written.get(job.folder.name, 0) if job.known else 0
                self._continue(one)
            case Answer(decision):
                self.waited.append(time.perf_counter() - self._reported.pop(worker))
                if decision is Decision.CONTINUE:
                    self._continue(one)
                else:
                    one.outbox.append(Done(_outcome(one, paused=decision is Decision.PAUSE)))
            case LeaveTrial():
                one.outbox.append(Done(_outcome(one, paused=True)))

    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return a message of one of the workers; see `Engine`."""
        ready = [number for number, one in self._workers.items() if one.outbox]
        if not ready:
            return []
        number = self._draw.choice(ready)
        message = self._workers[number].outbox.popleft()
        if self._draw.random() < self._deaths and not isinstance(message, Ready):
            self._workers[number] = _Simulated(outbox=deque())
            return [(number, Lost("it was ended by SIGKILL", own_fault=False))]
        if isinstance(message, Scored):
            self._reported[number] = time.perf_counter()
        return [(number, message)]

    def kill(self, worker: int) -> None:
        """End a worker; see `Engine`."""
        self._workers.pop(worker, None)

    def lease(self, worker: int) -> Lease | None:
        """Return this process; see `Engine`."""
        return Lease.of()

    def close(self) -> None:
        """End all workers; see `Engine`."""
        self._workers.clear()

    def _continue(self, one: _Simulated) -> None:
        """Train to the next rung and write a checkpoint there, or train to the end."""
        assert one.job is not None
        ahead = [rung for rung in one.job.rungs if rung > one.step]
        before, one.step = one.step, ahead[0] if ahead else RUN_STEPS
        self.trained += one.step - before
        if ahead:
            self._written[one.job.folder.name] = one.step
            one.outbox.append(Scored(one.step, _loss(one)))
        else:
            one.outbox.append(Done(_outcome(one, paused=False)))


def _loss(one: _Simulated) -> float:
    """Return a loss that is lowest at a rate of 0.01, and falls with the steps."""
    assert one.job is not None
    peak = one.job.candidate.peak or 1.0
    return math.log10(peak / 0.01) ** 2 + 1 / math.sqrt(one.step)


def _outcome(one: _Simulated, *, paused: bool) -> TrialResult:
    assert one.job is not None
    peak = one.job.candidate.peak
    return TrialResult(_loss(one), {}, one.step, RUN_STEPS, 0.0, peak, False, False, paused)


def simulate(
    folder: Path,
    engine: SimulatedEngine,
    workers: int,
    trials: int,
    listener: Callable[[Event], None] = lambda event: None,
    **settings: object,
) -> Study:
    """Run a study with simulated workers, its storage an SQLite file in ``folder``.

    Args:
        folder: For the storage and the results.
        engine: Runs the workers.
        workers: How many.
        trials: Of the study.
        listener: Called with each event.
        settings: More settings of ``tune:``.
    """
    config = _config(folder, trials, settings)
    hyperband = Hyperband(1, RUN_STEPS)
    handle = open_study(config.tune.storage, config.tune.study, seed=7, hyperband=hyperband)
    handle.check_fingerprint(fingerprint(config))
    handle.recover()
    controller = TrialController(config, handle, hyperband, RUN_STEPS, listener)
    pool = Pool(config, engine, workers, Shutdown(), listener)
    pool.start()
    assert pool.check().run_steps == RUN_STEPS
    pool.run(controller, math.inf)
    engine.close()
    return handle


def _config(folder: Path, trials: int, settings: dict[str, object]) -> Config:
    space = {"lr": {"low": 1e-5, "high": 1.0, "log": True}, "warmup": {"low": 0.0, "high": 0.2}}
    tune = {"space": space, "trials": trials, "out": str(folder / "out"), "study": "simulated"}
    tune["storage"] = f"sqlite:///{folder}/runs.db"
    return read_config({"tune": tune | settings})
