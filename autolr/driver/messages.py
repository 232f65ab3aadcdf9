"""The messages between a driver and its workers; `wire` writes and reads them as JSON."""

import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from autolr import errors
from autolr.atomic import write_atomically
from autolr.config import Config
from autolr.disk import disk_errors
from autolr.errors import AutoLRError, UserCodeError
from autolr.job import Decision, TrialJob, TrialResult
from autolr.memory import RunBytes
from autolr.storage_url import shown


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """To a worker: see whether the config works."""

    config: Config
    folder: Path


@dataclass(frozen=True, slots=True)
class TrainTrial:
    """To a worker: train a job of a trial."""

    job: TrialJob


@dataclass(frozen=True, slots=True)
class Answer:
    """To a worker: what was decided about its score."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class LeaveTrial:
    """To a worker: write the trial down and leave it."""


@dataclass(frozen=True, slots=True)
class StudyOver:
    """To a worker: the study is complete, and nothing more will come."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it has imported what it needs."""


@dataclass(frozen=True, slots=True)
class Checked:
    """From a worker: the config works, and a run has ``run_steps`` optimizer steps.

    Attributes:
        run_steps: Their number.
        warnings: What the user should know, a line each.
        pauses: Whether a run can be resumed from a rung; see `Checkup`.
        memory: What a run holds; see `Checkup`.
        searches: Whether a run can search its own peak; see there.
        optimizer: The class name of its own optimizer; see there.
    """

    run_steps: int
    warnings: tuple[str, ...] = ()
    pauses: bool = True
    memory: RunBytes | None = None
    searches: bool = False
    optimizer: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """From a worker: the score of a rung; it waits for an `Answer`."""

    step: int
    score: float


@dataclass(frozen=True, slots=True)
class Remark:
    """From a worker: a line for the user about what it trains."""

    line: str


@dataclass(frozen=True, slots=True)
class Done:
    """From a worker: the result of the job."""

    outcome: TrialResult


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: the model or the data raised (a `UserCodeError`), or autolr did.

    Attributes:
        kind: The name of an error of autolr.
        reason: In one line.
    """

    kind: str
    reason: str

    def __post_init__(self) -> None:
        known = getattr(errors, self.kind, None)
        if not (isinstance(known, type) and issubclass(known, AutoLRError)):
            raise ValueError(f"{self.kind!r} is not an error of autolr")


@dataclass(frozen=True, slots=True)
class Lost:
    """From the engine: a worker is gone.

    Attributes:
        why: In words.
        own_fault: Whether what it trained is to blame, and not another process that killed it.
    """

    why: str
    own_fault: bool


ToWorker: TypeAlias = CheckConfig | TrainTrial | Answer | LeaveTrial | StudyOver
FromWorker: TypeAlias = Ready | Checked | Scored | Remark | Done | Failed | Lost


def for_workers(config: Config) -> Config:
    """Return what workers get of a config: not the password in the URL of its storage.

    They never open it, and what they get lies in files and goes over networks.
    """
    return replace(config, tune=replace(config.tune, storage=shown(config.tune.storage)))


def with_traceback(error: UserCodeError, file: Path) -> UserCodeError:
    """Keep the traceback of the user's error in a file; return an error that says so.

    Args:
        error: The error; its cause is what the user's code raised.
        file: Where the traceback is written; an older one is replaced.
    """
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, "".join(traceback.format_exception(error.__cause__ or error)))
    return type(error)(f"{error} (traceback in {file})")
