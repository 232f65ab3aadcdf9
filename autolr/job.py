"""What a driver and the objective that trains its trials exchange about one trial.

Experimental: these values may change between minor versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from autolr.candidate import ONLINE, Candidate
from autolr.config import Config
from autolr.schedules import Schedule


class Decision(Enum):
    """What the study decides about a trial at a rung; the values are what is sent as JSON."""

    CONTINUE = "continue"  # train on, to the next rung or the end
    PAUSE = "pause"  # leave a checkpoint and end the job; the trial may be promoted later
    STOP = "stop"  # the score is not finite: the trial has diverged


class Judge(Protocol):
    """The study, as a trial that is being trained sees it."""

    def judge(self, step: int, score: float) -> Decision:
        """Report a score at a rung, and return whether the trial continues.

        Args:
            step: The rung, one of `TrialJob.rungs`, in optimizer steps.
            score: The monitored metric there, in its own unit and sign.
        """

    def remark(self, line: str) -> None:
        """Pass a line on to the user."""


WEIGHTS = "weights.ckpt"  # in the folder of a run that was trained to its end


@dataclass(frozen=True, slots=True)
class PeakSearch:
    """What the online search in the run of a study's first trial may choose.

    Attributes:
        rates: Lowest and highest peak.
        chooses_schedule: Whether it follows its own schedule, and not that of the candidate.
        budget: Probe steps at most, as a share of the run's steps; None: as in any search.
    """

    rates: tuple[float, float]
    chooses_schedule: bool
    budget: float | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The parameters of a space that it chooses."""
        return ("lr", "schedule") if self.chooses_schedule else ("lr",)


@dataclass(frozen=True, slots=True)
class TrialJob:
    """What of a trial is trained in one job: from its start or checkpoint, to a rung or the end.

    Attributes:
        config: The study's config.
        candidate: What to train with.
        folder: Where the run logs, and its checkpoint is.
        rungs: Optimizer steps at which it is judged, in a run of ``run_steps`` steps.
        run_steps: Length of the run that the rungs are meant for. A run of another length, as with
            another batch size, is judged at the same shares of its own.
        known: Rungs whose scores the study has.
        pauses: Whether it leaves a checkpoint at each rung, and can be resumed from there.
        trial: Of which study and trial it is; its checkpoint says so.
        number: Of the trial.
        search: What the search of a candidate without a peak may choose; None: any peak.
        keeps: Whether its weights are kept, if it is trained to its end.
        near: The peak of an earlier search around which that of a candidate without a peak begins;
            None: it begins around the customary one.
    """

    config: Config
    candidate: Candidate
    folder: Path
    rungs: tuple[int, ...]
    run_steps: int
    known: tuple[int, ...] = ()
    pauses: bool = True
    trial: str = ""
    number: int = 0
    search: PeakSearch | None = None
    keeps: bool = False
    near: float | None = None

    @property
    def checkpoint(self) -> Path:
        """Where the trial was left; absent before its first rung."""
        return self.folder / "rung.ckpt"

    @property
    def weights(self) -> Path:
        """Where its weights are kept."""
        return self.folder / WEIGHTS

    @property
    def named(self) -> dict[str, Any]:
        """The trial's number and what it is trained with, as hyper-parameters for loggers."""
        chosen = self.candidate
        values = {"trial": self.number, "schedule": str(chosen.schedule), "rule": chosen.rule}
        values |= {"lr": ONLINE if chosen.peak is None else chosen.peak}
        if chosen.peak is None and self.search is not None:
            values |= dict.fromkeys(self.search.chosen, ONLINE)
        values |= {**dict(chosen.settings), **{f"rule.{k}": v for k, v in chosen.rule_settings}}
        return {f"autolr/{name}": value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of one job of a trial.

    Attributes:
        value: The monitored metric at the end.
        metrics: Every metric as it was logged last.
        steps: Optimizer steps in all since the trial's start, probes included.
        run_steps: Optimizer steps of the whole run, the horizon of its schedule.
        seconds: Wall time of the job.
        peak: The peak of the rate, given or searched; None if the run ended before it was known.
        schedule: The schedule that a run with a search has followed to its end; None: that of the
            candidate.
        searched: Whether that search has compared peaks, and chosen one.
        discarded: Steps from which that search went back, and which no schedule can repeat.
        averaged: Over how many of its last steps the weights at its end are averaged; 0: they are
            the last ones.
        pruned: Whether the run was stopped at a rung, for good.
        diverged: Whether its loss stopped being finite, or a score of it is not.
        paused: Whether it was left before its end, and can be resumed.
        stopped_at: Steps after which the run ended by itself before ``run_steps``, as a callback or
            the module decided (`EarlyStopping`); None: it did not.
        own_peak: The peak of the module's own scheduler, where that kept its shape; None: the shape
            was the candidate's.
    """

    value: float
    metrics: Mapping[str, float]
    steps: int
    run_steps: int
    seconds: float = 0.0
    peak: float | None = None
    pruned: bool = False
    diverged: bool = False
    paused: bool = False
    stopped_at: int | None = None
    own_peak: float | None = None
    schedule: Schedule | None = None
    searched: bool = False
    discarded: int = 0
    averaged: int = 0
