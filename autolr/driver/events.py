"""What happens in a study, and what it comes to."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from typing_extensions import override

from autolr.config import Config
from autolr.counted import counted
from autolr.space import Space
from autolr.study import Estimate, Hyperband, TrialRecord


@dataclass(frozen=True, slots=True)
class CheckStarted:
    """The config has been read; torch is imported and the set-up is checked next."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A line that the user should read; the study continues."""

    line: str


@dataclass(frozen=True, slots=True)
class WorkersAwaited:
    """Workers may come from now on: the study takes those that come by themselves.

    Attributes:
        folder: Where they find the driver.
    """

    folder: Path


@dataclass(frozen=True, slots=True)
class StudyReady:
    """The study is open and its set-up has been checked.

    Attributes:
        config: The whole config.
        run_steps: Optimizer steps of one whole run.
        hyperband: The brackets; None without pruning.
        finished: Trials finished before.
        resumed: Numbers of cut trials that will be run again.
        warnings: What may go wrong with the trials, a line each.
        done: Optimizer steps of the trials before, as far as they are known.
    """

    config: Config
    run_steps: int
    hyperband: Hyperband | None
    finished: int
    resumed: tuple[int, ...]
    warnings: tuple[str, ...] = ()
    done: int = 0


@dataclass(frozen=True, slots=True)
class StudyEstimated:
    """What the study will take; said by a dry run, which ends with it."""

    estimate: Estimate


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial begins, or is resumed.

    Attributes:
        number: Counted from 0.
        params: What the sampler chose.
        bracket: None without Hyperband.
        again: Whether it was cut before.
        promoted: The rung at which it was promoted, and from which it is resumed; None: it was not.
    """

    number: int
    params: Mapping[str, Any]
    bracket: int | None
    again: bool
    promoted: int | None = None


@dataclass(frozen=True, slots=True)
class RungReached:
    """A trial was judged after ``step`` optimizer steps.

    One that does not continue ``waits``, and may be promoted later, or it is over.
    """

    number: int
    step: int
    score: float
    continues: bool
    waits: bool = False


@dataclass(frozen=True, slots=True)
class TrialFailed:
    """An attempt at a trial ended with an error, and it is tried again."""

    number: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker ended by itself or was killed; another one takes its place, if one is there.

    Attributes:
        worker: Counted from 0.
        why: In words.
        number: The trial that it was training, which is resumed elsewhere; None: none.
    """

    worker: int
    why: str
    number: int | None


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is over; ``best`` if it is the best so far."""

    trial: TrialRecord
    best: bool


Event: TypeAlias = (
    CheckStarted
    | Noted
    | WorkersAwaited
    | StudyReady
    | StudyEstimated
    | TrialStarted
    | RungReached
    | TrialFailed
    | WorkerLost
    | TrialEnded
)


@dataclass(frozen=True, slots=True)
class TuneResult:
    """A study as `tune` left it; as text one line, with the best trial, or why the last one failed.

    Attributes:
        config: The whole config.
        trials: All trials by number; their ``params`` are what the user's code got.
        best: The complete trials, best first; with a cost, those of the front.
        files: What was written.
        trained: Trials that were run by this call.
        interrupted: The signal that ended it early, or None.
        over: Why it ended before it had all its trials, where nothing is left to do; else None.
    """

    config: Config
    trials: tuple[TrialRecord, ...]
    best: tuple[TrialRecord, ...]
    files: tuple[Path, ...] = ()
    trained: int = 0
    interrupted: int | None = None
    over: str | None = None

    @property
    def finished(self) -> int:
        """Trials that count: complete and pruned ones."""
        return sum(trial.state in ("COMPLETE", "PRUNED") for trial in self.trials)

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return sum(trial.state == "FAIL" for trial in self.trials)

    @property
    def stopped(self) -> int:
        """Trials whose run ended by itself before its planned length; they count as finished."""
        return sum(trial.stopped for trial in self.trials)

    @property
    def diverged(self) -> int:
        """Trials that ended with a score that is not finite; they count as finished."""
        return sum(trial.diverged for trial in self.trials)

    @property
    def complete(self) -> bool:
        """Whether the study has all the trials that its config wants, or is over before."""
        return self.finished >= self.config.tune.trials or self.over is not None

    @property
    def counts(self) -> str:
        """How many trials there are of each kind, in words."""
        counts = f"{self.finished} of {counted(self.config.tune.trials, 'trial')} finished"
        if self.stopped:
            counts += f", {self.stopped} of them stopped early"
        if self.diverged:
            monitor = self.config.tune.monitor
            counts += f", {self.diverged} of them with a {monitor} that is not finite"
        return f"{counts}, {self.failed} failed" if self.failed else counts

    @override
    def __str__(self) -> str:
        from autolr import report  # here: only a result that is printed needs it

        tune = self.config.tune
        line = f"study {tune.study!r}: {self.counts}" + (f" ({self.over})" if self.over else "")
        if self.best:
            first = self.best[0]
            line += f"; best: trial {first.number}, {tune.monitor} {first.value:.4g}, "
            line += report.params_text(report.chosen(first))
        elif failed := [trial for trial in self.trials if trial.state == "FAIL"]:
            line += f"; {_failure(failed[-1])}"
        return f"{line}; results in {tune.folder}" if self.files else line


def with_values(trials: Iterable[TrialRecord], space: Space) -> tuple[TrialRecord, ...]:
    """Return trials whose parameters are what the user's code got.

    Args:
        trials: As stored, with lists and mappings as JSON text.
        space: Of their study.
    """
    return tuple(replace(trial, params=space.unlabelled(trial.params)) for trial in trials)


def only_warn(event: Event) -> None:
    """Listen in place of a user who does not: warn of what may go wrong, and of what has."""
    lines: tuple[str, ...] = ()
    match event:
        case StudyReady():
            lines = event.warnings
        case TrialEnded(trial) if trial.state == "FAIL":
            lines = (_failure(trial),)
    for line in lines:
        warnings.warn(line, stacklevel=2)


def _failure(trial: TrialRecord) -> str:
    return f"trial {trial.number} failed: {trial.attrs['reason']}"
