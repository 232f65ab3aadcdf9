"""What a free worker does next, decided from the state of all trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from autolr.study.hyperband import Hyperband

Progress = Literal["running", "cut", "paused", "over", "failed"]


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """The state of a trial, as far as decisions depend on it.

    Attributes:
        number: Counted from 0.
        progress: A ``paused`` trial waits at its last rung for a promotion; a ``cut`` one was
            interrupted and is resumed by the next free worker.
        bracket: None without Hyperband.
        scores: By rung; lower is better.
    """

    number: int
    progress: Progress
    bracket: int | None = None
    scores: Mapping[int, float] = field(default_factory=dict)

    @property
    def rung(self) -> int:
        """The last rung with a score, in steps; 0: none yet."""
        return max(self.scores, default=0)


@dataclass(frozen=True, slots=True)
class Start:
    """Start a new trial."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a trial: ``promoted`` from its rung, or interrupted."""

    number: int
    promoted: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a report of a running trial."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the study: it has all its trials, and no paused trial qualifies for a promotion."""


Action: TypeAlias = Start | Resume | Wait | Finish


def next_action(trials: Sequence[TrialStatus], wanted: int, hyperband: Hyperband | None) -> Action:
    """Return what a free worker does.

    It resumes an interrupted trial; else the most advanced paused trial that qualifies, of several
    the one with the best score; else it starts a new trial until ``wanted`` trials have not failed.
    Workers never wait for a rung to fill.

    Args:
        trials: All trials of the study.
        wanted: Trials that the study shall have.
        hyperband: Promotes paused trials; None: there are none.

    Source: Li et al. 2020 (ASHA), algorithm 2, arXiv:1810.05934.
    """
    cut = [trial.number for trial in trials if trial.progress == "cut"]
    if cut:
        return Resume(min(cut), promoted=False)
    if hyperband is not None and (candidates := promotable(trials, hyperband)):
        best = min(candidates, key=lambda t: (-t.rung, t.scores[t.rung], t.number))
        return Resume(best.number, promoted=True)
    if sum(trial.progress != "failed" for trial in trials) < wanted:
        return Start()
    return Wait() if any(trial.progress == "running" for trial in trials) else Finish()


def promotable(trials: Sequence[TrialStatus], hyperband: Hyperband) -> list[TrialStatus]:
    """Return the paused trials that `Hyperband.promotes` from their rung.

    Args:
        trials: All trials of the study.
        hyperband: The rule.
    """
    return [
        trial
        for trial in trials
        if trial.progress == "paused"
        and hyperband.promotes(trial.scores[trial.rung], peers(trials, trial, trial.rung))
    ]


def peers(trials: Sequence[TrialStatus], trial: TrialStatus, rung: int) -> list[float]:
    """Return the scores of the other trials of a bracket at a rung.

    Args:
        trials: All trials of the study.
        trial: A trial of the bracket.
        rung: Optimizer steps.
    """
    return [
        other.scores[rung]
        for other in trials
        if rung in other.scores and other.bracket == trial.bracket and other.number != trial.number
    ]
