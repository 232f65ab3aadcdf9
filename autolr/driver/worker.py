"""A worker: trains what its driver sends. Run as ``python -m autolr.driver.worker DESCRIPTOR``."""

import hashlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from autolr.config import import_registered
from autolr.disk import disk_errors
from autolr.driver.messages import (
    Answer,
    Check,
    Checked,
    Done,
    Failed,
    FromWorker,
    Leave,
    Ready,
    Remark,
    Scored,
    ToWorker,
    Train,
    with_traceback,
)
from autolr.driver.wire import from_json, to_json
from autolr.errors import AutoLRError, ConfigError, StorageError, UserCodeError
from autolr.job import Decision

_JOB = "AUTOLR_JOB"  # a file with what the other ranks of a trial do
_DIGEST = "AUTOLR_JOB_SHA256"  # of that file: it lies where others may be able to write


class Worker:
    """Reads messages in a thread of its own, so that none waits for a training step.

    Args:
        pipe: To the driver. When it closes, the driver is gone, and so is this process.
    """

    def __init__(self, pipe: "Connection[FromWorker, ToWorker]") -> None:
        self._pipe = pipe
        self._jobs: queue.SimpleQueue[Check | Train] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Decision] = queue.SimpleQueue()
        self._leave = threading.Event()

    def run(self) -> None:
        """Work until the driver is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        from autolr import objective  # here: the driver is heard while torch is imported

        assert objective
        self._pipe.send(Ready())
        while True:
            self._pipe.send(self._answer_to(self._jobs.get()))

    def judge(self, step: int, score: float) -> Decision:
        """Ask the driver; see `Judge`."""
        self._pipe.send(Scored(step, score))
        return self._answers.get()

    def remark(self, line: str) -> None:
        """Pass a line on to the user."""
        self._pipe.send(Remark(line))

    def _listen(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                os.killpg(os.getpgid(0), signal.SIGKILL)
            match message:
                case Answer(decision):
                    self._answers.put(decision)
                case Leave():
                    self._leave.set()
                case Check() | Train():
                    self._jobs.put(message)

    def _answer_to(self, job: Check | Train) -> FromWorker:
        folder = job.folder if isinstance(job, Check) else job.job.folder
        return _guarded(lambda: self._do(job, folder), folder)

    def _do(self, job: Check | Train, folder: Path) -> FromWorker:
        from autolr import objective

        import_registered(job.config if isinstance(job, Check) else job.job.config)
        with _written_down(job, folder):
            if isinstance(job, Check):
                return Checked(*objective.check_run(job.config, job.folder))
            return Done(objective.run_trial(job.job, self, self._leave.is_set, self.remark))


def _guarded(action: Callable[[], FromWorker], folder: Path) -> FromWorker:
    """Return what an action returns, or in a message what it raised."""
    try:
        with disk_errors(folder):
            return action()
    except UserCodeError as error:
        return _told(error, folder)
    except AutoLRError as error:
        return Failed(type(error).__name__, str(error))


def _told(error: UserCodeError, folder: Path) -> Failed:
    try:
        told = with_traceback(error, folder / "error.txt")
    except StorageError as full:
        return Failed(StorageError.__name__, str(full))
    said = error if folder.name.startswith("trial_") else told
    return Failed(type(error).__name__, str(said))


@contextmanager
def _written_down(job: Check | Train, folder: Path) -> Iterator[None]:
    """Have the ranks that Lightning starts find the job, for as long as it takes."""
    folder.mkdir(parents=True, exist_ok=True)
    file, text = folder / "job.json", to_json(job)
    os.environ |= {_JOB: str(file), _DIGEST: hashlib.sha256(text).hexdigest()}
    try:
        file.write_bytes(text)
        yield
    finally:
        file.unlink(missing_ok=True)


class _Mute:
    """The judge of a rank that does not talk to the driver."""

    def judge(self, step: int, score: float) -> Decision:
        """Go on, unless rank 0 is told something else."""
        return "go"


def _follow() -> None:
    """Do what rank 0 does, which tells the driver of it."""
    text = Path(os.environ[_JOB]).read_bytes()
    if hashlib.sha256(text).hexdigest() != os.environ[_DIGEST]:
        raise ConfigError(f"{os.environ[_JOB]} is not what rank 0 wrote")
    job: Check | Train
    (job,) = from_json(text, Check | Train)
    from autolr import objective

    if isinstance(job, Check):
        objective.check_run(job.config, job.folder)
    else:
        objective.run_trial(job.job, _Mute())


def main() -> None:
    """Work for the driver at the other end of the descriptor that is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver says when to leave
    if os.environ.get("LOCAL_RANK", "0") != "0" and _JOB in os.environ:
        _follow()
    else:
        Worker(Connection(int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
