"""The jobs that workers are given, and the trials that they belong to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autolr.candidate import Candidate
from autolr.driver.seeds import Runs
from autolr.job import TrialJob
from autolr.study import TrialRecord

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Work:
    """A job of a trial for a free worker."""

    number: int
    job: TrialJob


@dataclass
class OpenTrial:
    """A trial that is trained: its runs, the one under way, and whether it waits for others."""

    trial: "optuna.Trial"
    candidate: Candidate
    runs: Runs
    current: int
    held: bool = False


def has_no_step(trial: TrialRecord) -> bool:
    """Return whether no attempt at a trial is known to have come to its first step.

    What then raises before that step, raises at each attempt. After a step, the same code has
    worked: what raises now may pass.
    """
    known = ("steps", "attempts")  # (an attempt that was not the last one got further)
    return not trial.scores and not any(name in trial.attrs for name in known)
