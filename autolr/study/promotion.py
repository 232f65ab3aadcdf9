"""What a study does next: pure decisions over values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from autolr.study.hyperband import Hyperband

Progress = Literal["running", "cut", "paused", "over", "failed"]


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """What decides about a trial.

    Attributes:
        number: Counted from 0.
        progress: ``paused`` waits at its last rung to be promoted; ``cut`` is to go on as soon as
            somebody is free, for it was interrupted.
        bracket: None without Hyperband.
        scores: By rung; lower is better.
    """

    number: int
    progress: Progress
    bracket: int | None = None
    scores: Mapping[int, float] = field(default_factory=dict)

    @property
    def rung(self) -> int:
        """The last rung that it has a score at; 0: none yet."""
        return max(self.scores, default=0)


@dataclass(frozen=True, slots=True)
class Start:
    """Start a new trial."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with a trial; ``promoted`` from the rung where it was paused, else it was cut."""

    number: int
    promoted: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before a running trial says something."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The study has all its trials, and none that waits deserves to go on."""


Action: TypeAlias = Start | Resume | Wait | Finish


def next_action(trials: Sequence[TrialStatus], wanted: int, hyperband: Hyperband | None) -> Action:
    """Return what a free worker does.

    What was cut goes first. Then the paused trial that came furthest, if it belongs to the best of
    its rung; of several the one with the best score there. Else a new trial is started, until
    there are ``wanted`` that did not fail. Workers never wait for a rung to fill.

    Source: Li et al. 2020 (ASHA), algorithm 2, arXiv:1810.05934.
    """
    cut = [trial.number for trial in trials if trial.progress == "cut"]
    if cut:
        return Resume(min(cut), promoted=False)
    if hyperband is not None and (found := promotable(trials, hyperband)):
        best = min(found, key=lambda trial: (-trial.rung, trial.scores[trial.rung], trial.number))
        return Resume(best.number, promoted=True)
    if sum(trial.progress != "failed" for trial in trials) < wanted:
        return Start()
    return Wait() if any(trial.progress == "running" for trial in trials) else Finish()


def promotable(trials: Sequence[TrialStatus], hyperband: Hyperband) -> list[TrialStatus]:
    """Return the paused trials that belong to the best of their rung, see `Hyperband.promotes`."""
    return [
        trial
        for trial in trials
        if trial.progress == "paused"
        and hyperband.promotes(trial.scores[trial.rung], peers(trials, trial, trial.rung))
    ]


def peers(trials: Sequence[TrialStatus], trial: TrialStatus, rung: int) -> list[float]:
    """Return the other trials' scores at a rung of a trial's bracket."""
    return [
        other.scores[rung]
        for other in trials
        if rung in other.scores and other.bracket == trial.bracket and other.number != trial.number
    ]
