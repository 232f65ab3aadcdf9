"""What whoever runs a study and whoever trains its trials tell each other about a trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from autolr.candidate import Candidate
from autolr.config import Config

Decision = Literal["go", "wait", "stop"]


class Judge(Protocol):
    """Decides at a rung."""

    def judge(self, step: int, score: float) -> Decision:
        """Return whether a trial goes on, waits for its turn, or is over."""


@dataclass(frozen=True, slots=True)
class TrialJob:
    """What of a trial is trained at a job: from its start or checkpoint, to a rung or the end.

    Attributes:
        config: The study's config.
        candidate: What to train with.
        folder: Where the run logs, and its checkpoint is.
        rungs: Optimizer steps at which it is judged, in a run of ``run_steps`` steps.
        run_steps: Length of the run that the rungs are meant for. A run of another length, as with
            another batch size, is judged at the same shares of its own.
        known: Rungs whose scores the study has.
        pauses: Whether it leaves a checkpoint at each rung, and can go on from there.
        trial: Of which study and trial it is; its checkpoint says so.
    """

    config: Config
    candidate: Candidate
    folder: Path
    rungs: tuple[int, ...]
    run_steps: int
    known: tuple[int, ...] = ()
    pauses: bool = True
    trial: str = ""

    @property
    def checkpoint(self) -> Path:
        """Where the trial was left; absent before its first rung."""
        return self.folder / "rung.ckpt"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a job of a trial came to.

    Attributes:
        value: The monitored metric at the end.
        metrics: Every metric as it was logged last.
        steps: Optimizer steps in all since the trial's start, probes included.
        run_steps: Optimizer steps of the whole run, the horizon of its schedule.
        seconds: Wall time of the job.
        peak: The peak of the rate, given or found; None if the run ended before it was found.
        pruned: Whether the run was stopped at a rung.
        diverged: Whether its loss stopped being finite, or a score of it is not.
        waits: Whether it was left before its end, and can go on from its checkpoint.
        stopped_at: Steps after which the run ended by itself before ``run_steps``, as a callback or
            the module had it (`EarlyStopping`); None: it did not.
    """

    value: float
    metrics: Mapping[str, float]
    steps: int
    run_steps: int
    seconds: float
    peak: float | None
    pruned: bool
    diverged: bool
    waits: bool = False
    stopped_at: int | None = None
