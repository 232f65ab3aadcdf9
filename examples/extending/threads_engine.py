"""An engine of your own: workers that are threads of the driver's process.

    python -m examples.extending.threads_engine

For objectives that compute outside of Python's lock. A thread cannot be killed: `kill` has it leave
its trial at its next step, and what it sends after that is dropped.
"""

import queue
import threading
from pathlib import Path

from autolr.config import Config
from autolr.driver import (
    Answer,
    CheckConfig,
    Engine,
    FromWorker,
    LeaveTrial,
    Ready,
    Remark,
    Scored,
    ToWorker,
    TrainTrial,
    do_job,
    engine,
    tune,
)
from autolr.job import Decision
from autolr.study import Lease

_Outbox = queue.SimpleQueue[tuple["_Worker", FromWorker]]


class _Worker(threading.Thread):
    """Does one job after the other; the judge of its trials.

    Args:
        number: Its number in the pool.
        outbox: Takes its messages.
    """

    def __init__(self, number: int, outbox: _Outbox) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.jobs: queue.SimpleQueue[CheckConfig | TrainTrial | None] = queue.SimpleQueue()
        self.decisions: queue.SimpleQueue[Decision] = queue.SimpleQueue()
        self.leave = threading.Event()
        self._outbox = outbox

    def run(self) -> None:
        """Work until `end`."""
        self._outbox.put((self, Ready()))
        while (job := self.jobs.get()) is not None:
            self._outbox.put((self, do_job(job, self, self.leave.is_set)))

    def judge(self, step: int, score: float) -> Decision:
        """Ask the driver for its decision."""
        self._outbox.put((self, Scored(step, score)))
        return self.decisions.get()

    def remark(self, line: str) -> None:
        """Pass a line on to the user."""
        self._outbox.put((self, Remark(line)))

    def end(self) -> None:
        """Leave the trial as soon as possible, and take no other."""
        self.leave.set()
        self.jobs.put(None)
        self.decisions.put(Decision.PAUSE)  # it may wait for one


@engine("threads")
class ThreadsEngine(Engine):
    """Runs each worker as a thread.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads: dict[int, _Worker] = {}
        self._outbox: _Outbox = queue.SimpleQueue()

    @classmethod
    def place(cls, config: Config) -> "ThreadsEngine":
        """Return an engine of as many threads; see `Engine`."""
        workers = config.tune.workers
        return cls(workers if isinstance(workers, int) else 2)

    def start(self, worker: int) -> None:
        """Start a thread."""
        self._threads[worker] = _Worker(worker, self._outbox)
        self._threads[worker].start()

    def send(self, worker: int, message: ToWorker) -> None:
        """Pass a message to a thread, or drop it."""
        thread = self._threads.get(worker)
        match message:
            case _ if thread is None:
                return
            case CheckConfig() | TrainTrial():
                thread.jobs.put(message)
            case Answer(decision):
                thread.decisions.put(decision)
            case LeaveTrial():
                thread.leave.set()

    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return the next message, if one comes in time."""
        try:
            thread, message = self._outbox.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return []
        known = self._threads.get(thread.number) is thread
        return [(thread.number, message)] if known else []

    def kill(self, worker: int) -> None:
        """Tell a thread to leave, and forget it."""
        thread = self._threads.pop(worker, None)
        if thread is not None:
            thread.end()

    def lease(self, worker: int) -> Lease | None:
        """Return None: a thread ends with the driver."""
        return None

    def close(self) -> None:
        """Tell all threads to leave."""
        for worker in list(self._threads):
            self.kill(worker)


if __name__ == "__main__":
    config_file = Path(__file__).with_name("objective.yaml")
    result = tune(config_file, engine="threads", workers=2, study="threads")
    print(f"{result.finished} trials, best val_loss {result.best[0].value:.4f}")
