"""A worker: ``python -m autolr.driver.worker DESCRIPTOR [MODULE]`` trains what its driver sends."""

import hashlib
import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from typing_extensions import override

from autolr.driver.jobs import folder_of, guarded, import_names, performed
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    FromWorker,
    LeaveTrial,
    Ready,
    Remark,
    Scored,
    ToWorker,
    TrainTrial,
)
from autolr.driver.wire import from_json, to_json
from autolr.errors import ConfigError
from autolr.job import Decision, Judge

_JOB = "AUTOLR_JOB"  # a file with what the other ranks of a trial do
_DIGEST = "AUTOLR_JOB_SHA256"  # of that file: others may be able to write to its folder


class Worker(Judge):
    """Reads messages in a thread of its own, so that none waits for a training step.

    Args:
        pipe: To the driver. When it closes, the driver is gone, and so is this process.
        modules: What its jobs need and takes seconds to import: it is while the config is checked.
    """

    def __init__(
        self, pipe: "Connection[FromWorker, ToWorker]", modules: Sequence[str] = ()
    ) -> None:
        self._pipe = pipe
        self._modules = modules
        self._jobs: queue.SimpleQueue[CheckConfig | TrainTrial] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Decision] = queue.SimpleQueue()
        self._leave = threading.Event()

    def run(self) -> None:
        """Work until the driver is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        for module in self._modules:  # here: meanwhile the driver's messages are read
            importlib.import_module(module)
        self._pipe.send(Ready())
        while True:
            self._pipe.send(self._answer_to(self._jobs.get()))

    @override
    def judge(self, step: int, score: float) -> Decision:
        """Ask the driver for its decision; see `Judge`."""
        self._pipe.send(Scored(step, score))
        return self._answers.get()

    @override
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
                case LeaveTrial():
                    self._leave.set()
                case CheckConfig() | TrainTrial():
                    self._jobs.put(message)

    def _answer_to(self, job: CheckConfig | TrainTrial) -> FromWorker:
        folder = folder_of(job)
        return guarded(lambda: self._perform(job, folder), folder)

    def _perform(self, job: CheckConfig | TrainTrial, folder: Path) -> FromWorker:
        import_names(job)
        with _written_down(job, folder):
            return performed(job, self, self._leave.is_set)


@contextmanager
def _written_down(job: CheckConfig | TrainTrial, folder: Path) -> Iterator[None]:
    """Keep the job in a file while it is done, for the ranks that Lightning starts."""
    folder.mkdir(parents=True, exist_ok=True)
    file, text = folder / "job.json", to_json(job)
    os.environ |= {_JOB: str(file), _DIGEST: hashlib.sha256(text).hexdigest()}
    try:
        file.write_bytes(text)
        yield
    finally:
        file.unlink(missing_ok=True)


class _Mute(Judge):
    """The judge of a rank that is not connected to the driver."""

    @override
    def judge(self, step: int, score: float) -> Decision:
        """Continue; the decision for rank 0 is broadcast to the others."""
        return Decision.CONTINUE

    @override
    def remark(self, line: str) -> None:
        """Drop the line: rank 0 passes it on."""


def _follow() -> None:
    """Do what rank 0 does, which alone reports to the driver."""
    text = Path(os.environ[_JOB]).read_bytes()
    if hashlib.sha256(text).hexdigest() != os.environ[_DIGEST]:
        raise ConfigError(f"{os.environ[_JOB]} is not what rank 0 wrote")
    job: CheckConfig | TrainTrial
    (job,) = from_json(text, CheckConfig | TrainTrial)
    performed(job, _Mute(), lambda: False)


def _main() -> None:
    """Work for the driver; the arguments are the descriptor of a pipe, and modules to import."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver says when to leave
    if os.environ.get("LOCAL_RANK", "0") != "0" and _JOB in os.environ:
        _follow()
    else:
        Worker(Connection(int(sys.argv[1])), sys.argv[2:]).run()


if __name__ == "__main__":
    _main()
