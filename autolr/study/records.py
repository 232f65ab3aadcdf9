"""Trials and studies as plain values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autolr.study.promotion import Progress, TrialStatus

Direction = Literal["minimize", "maximize"]
State = Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]

FINGERPRINT = "fingerprint"  # the study's attribute that `Study.check_fingerprint` stores
ID = "id"  # the study's attribute that tells it from all others, whatever it is called
FOLDER = "folder"  # the study's attribute that says where its results are
PROMOTED = "promoted"  # a trial's attribute: the last rung that it was let pass
STOPPED_AT = "stopped_at"  # a trial's: steps after which its run ended before its planned length
STOPPED_VALUE = "stopped_value"  # a trial's: the monitored value there
OFF_RUNG = "off_rung"  # a trial's: the step of a score that no rung asked for


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as it was when it was read.

    Attributes:
        number: Counted from 0.
        state: ``COMPLETE`` and ``PRUNED`` count as finished.
        value: The final score; None unless ``COMPLETE``.
        cost: What it cost, if the study minimizes that too; None unless ``COMPLETE``.
        params: What the sampler chose.
        attrs: The trial's user attributes.
        scores: By optimizer step, what was reported at the rungs; NaN if it was not finite.
        started: Local time of the latest start; None if it never started.
        ended: Local time; None if it is not over.
    """

    number: int
    state: State
    value: float | None
    params: Mapping[str, Any]
    attrs: Mapping[str, Any]
    scores: Mapping[int, float]
    started: datetime | None = None
    ended: datetime | None = None
    cost: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether its run ended by itself before its planned length: no trial to compare with."""
        return self.state == "PRUNED" and STOPPED_AT in self.attrs


@dataclass(frozen=True, slots=True)
class Summary:
    """A study as it was when it was read.

    Attributes:
        name: The study's name.
        direction: Whether lower or higher values are better; a cost is always minimized.
        fingerprint: What it was made with; empty before the first check.
        attrs: The study's other user attributes.
        trials: By number.
    """

    name: str
    direction: Direction
    fingerprint: Mapping[str, Any]
    attrs: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]

    @property
    def folder(self) -> Path | None:
        """Where its latest driver said that the results are; None: none has said so."""
        told = self.attrs.get(FOLDER)
        return Path(told) if isinstance(told, str) else None

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self.trials, "COMPLETE", "PRUNED")

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return count(self.trials, "FAIL")

    @property
    def running(self) -> int:
        """Trials under way, or left so by a process that died."""
        return count(self.trials, "RUNNING")

    @property
    def waiting(self) -> int:
        """Cut trials that will go on first."""
        return count(self.trials, "WAITING")

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The trials that none beats in both value and cost, best value first; () without cost."""
        return front_of(self.trials, self.direction)

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
        return best(self.trials, self.direction, n)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return Optuna's trial as a plain value."""
    state: Any = trial.state.name
    return TrialRecord(
        number=trial.number,
        state=state,
        value=trial.values[0] if state == "COMPLETE" else None,
        params=dict(trial.params),
        attrs=dict(trial.user_attrs),
        scores=dict(sorted(trial.intermediate_values.items())),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        cost=trial.values[1] if state == "COMPLETE" and len(trial.values) > 1 else None,
    )


def status_of(record: TrialRecord, sign: float) -> TrialStatus:
    """Return what decides about a trial; its scores are multiplied by ``sign``."""
    judged = {s: v for s, v in record.scores.items() if s != record.attrs.get(OFF_RUNG)}
    at_rung = max(judged, default=0) > record.attrs.get(PROMOTED, 0)
    progress: dict[State, Progress] = {
        "RUNNING": "running",
        "WAITING": "paused" if at_rung else "cut",
        "FAIL": "failed",
    }
    scores = {step: sign * score for step, score in judged.items()}
    bracket = record.attrs.get("bracket")
    return TrialStatus(record.number, progress.get(record.state, "over"), bracket, scores)


def direction_of(study: optuna.Study) -> Direction:
    """Return the direction of a study's score.

    Raises:
        RuntimeError: If it has other objectives than a score and perhaps a cost.
    """
    direction, *others = study.directions
    if others not in ([], [StudyDirection.MINIMIZE]):
        raise RuntimeError(f"study {study.study_name!r} has other objectives than score and cost")
    return "maximize" if direction == StudyDirection.MAXIMIZE else "minimize"


def count(trials: Iterable[TrialRecord], *states: State) -> int:
    """Return how many trials are in one of ``states``."""
    return sum(trial.state in states for trial in trials)


def best(
    trials: Iterable[TrialRecord], direction: Direction, n: int = 1
) -> tuple[TrialRecord, ...]:
    """Return the ``n`` best COMPLETE trials, best first; of equal ones the oldest first.

    Of trials that have a cost, those of the front come alone.
    """
    trials = tuple(trials)
    if any(trial.cost is not None for trial in trials):
        return front_of(trials, direction)[:n]
    sign = 1.0 if direction == "minimize" else -1.0
    scored = [
        (sign * trial.value, trial.number, trial)
        for trial in trials
        if trial.value is not None and math.isfinite(trial.value)
    ]
    return tuple(trial for _, _, trial in sorted(scored)[:n])


def leader(trials: Iterable[TrialRecord], direction: Direction) -> TrialRecord | None:
    """Return the best COMPLETE trial; without one the best of those that stopped early."""
    trials = tuple(trials)
    sign = 1.0 if direction == "minimize" else -1.0
    stopped = [trial for trial in trials if trial.stopped and trial.attrs[STOPPED_AT]]
    stopped.sort(key=lambda trial: sign * trial.attrs[STOPPED_VALUE])
    return next(iter((*best(trials, direction), *stopped)), None)


def front_of(trials: Iterable[TrialRecord], direction: Direction) -> tuple[TrialRecord, ...]:
    """Return the trials that none beats in both value and cost, best value first."""
    sign = 1.0 if direction == "minimize" else -1.0
    priced = [trial for trial in trials if trial.value is not None and trial.cost is not None]
    points = [(sign * (trial.value or 0.0), trial.cost or 0.0) for trial in priced]
    return tuple(priced[index] for index in front(points))


def front(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return the indices of the points that no other one beats: the Pareto front, both minimized.

    A point is beaten by one that is as low in both and lower in one; equal ones beat neither. By
    the first coordinate, lowest first; of equal points the earliest first.

    >>> front([(0.5, 20.0), (0.1, 90.0), (0.6, 30.0), (0.3, 40.0)])
    (1, 3, 0)
    """
    found: list[int] = []
    least = math.inf
    for index in sorted(range(len(points)), key=points.__getitem__):
        cost = points[index][1]
        if cost < least or (found and points[index] == points[found[-1]]):
            found.append(index)
            least = cost
    return tuple(found)
