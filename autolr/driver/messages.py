"""What a driver and its workers say to each other; all of it can be pickled."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from autolr.config import Config
from autolr.disk import disk_errors, write_whole
from autolr.errors import UserCodeError
from autolr.job import Decision, TrialJob, TrialResult


@dataclass(frozen=True, slots=True)
class Check:
    """To a worker: see whether the config works."""

    config: Config
    folder: Path


@dataclass(frozen=True, slots=True)
class Train:
    """To a worker: train a job of a trial."""

    job: TrialJob


@dataclass(frozen=True, slots=True)
class Answer:
    """To a worker: what was decided about its score."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Leave:
    """To a worker: write the trial down and leave it."""


@dataclass(frozen=True, slots=True)
class Over:
    """To a worker: the study is complete, and nothing more will come."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it has imported what it needs."""


@dataclass(frozen=True, slots=True)
class Checked:
    """From a worker: the config works, and a run has ``run_steps`` optimizer steps."""

    run_steps: int


@dataclass(frozen=True, slots=True)
class Scored:
    """From a worker: the score of a rung; it waits for an `Answer`."""

    step: int
    score: float


@dataclass(frozen=True, slots=True)
class Done:
    """From a worker: what the job came to."""

    outcome: TrialResult


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: the model or the data raised (``kind`` is UserCodeError), or autolr did.

    Attributes:
        kind: The name of one of our errors.
        reason: In one line.
    """

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """From the engine: a worker is gone.

    Attributes:
        why: In words.
        own_fault: Whether what it trained is to blame, and not who killed it.
    """

    why: str
    own_fault: bool


ToWorker: TypeAlias = Check | Train | Answer | Leave | Over
FromWorker: TypeAlias = Ready | Checked | Scored | Done | Failed | Lost


def with_traceback(error: UserCodeError, file: Path) -> UserCodeError:
    """Keep the traceback of the user's error in a file; return an error that says so."""
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, "".join(traceback.format_exception(error.__cause__ or error)))
    return UserCodeError(f"{error} (traceback in {file})")
