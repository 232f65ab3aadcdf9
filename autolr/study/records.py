"""A stored trial as a plain value, and the names of the attributes that autolr stores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from autolr.names import meaning
from autolr.study.names import SEARCHES
from autolr.study.promotion import Progress, TrialStatus

Direction = Literal["minimize", "maximize"]
State = Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]

# of a study
FINGERPRINT = "fingerprint"  # its settings, see `Study.check_fingerprint`
ID = "id"  # unique: a study that was deleted and created again has another one
FOLDER = "folder"  # its folder for results
WIDENED = "widened"  # each time its space grew: the domains before, and how many trials it had
BRACKETS = "brackets"  # of its `Hyperband`, where the user sets no first rung
OPTIMIZER = "optimizer"  # the class name of its runs' own optimizer, where it is known
PRIOR = "prior"  # a peak by rule, from an earlier study or result
# of a trial
CANDIDATE = "candidate"  # its candidate's id, as soon as all parameters are stored
SAME_AS = "same_as"  # the earlier trial whose point and score it has; it was not trained
PROMOTED = "promoted"  # the last rung from which it was promoted, in steps
RUNS = "runs"  # with several seeds, what is known of each run
SPREAD = "spread"  # likewise, the sample standard deviation of their final scores
STOPPED_AT = "stopped_at"  # steps after which its run ended before its planned length
STOPPED_VALUE = "stopped_value"  # the monitored metric there
DIVERGED = "diverged"  # the stored reason of a trial whose score is not finite
OFF_RUNG = "off_rung"  # the step of a score that was not taken at a rung


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as stored when it was read.

    Attributes:
        number: Counted from 0.
        state: ``COMPLETE`` and ``PRUNED`` count as finished.
        value: The final score; None unless ``COMPLETE``.
        cost: Its cost, if the study minimizes one; None unless ``COMPLETE``.
        params: Its parameters, from the sampler.
        attrs: The trial's user attributes.
        scores: Scores at rungs by optimizer step; NaN if not finite.
        started: Local time of the latest start; None if it never started.
        ended: Local time; None if it has not ended.
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
    def open(self) -> bool:
        """Whether it is trained or waits; else it is over."""
        return self.state in ("RUNNING", "WAITING")

    @property
    def stopped(self) -> bool:
        """Whether its run ended by itself before its planned length: it compares with none."""
        return self.state == "PRUNED" and STOPPED_AT in self.attrs

    @property
    def diverged(self) -> bool:
        """Whether it ended with a score that is not finite."""
        return self.state == "PRUNED" and self.attrs.get("reason") == DIVERGED


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return Optuna's trial as a plain value."""
    state: Any = trial.state.name
    return TrialRecord(
        number=trial.number,
        state=state,
        value=trial.values[0] if state == "COMPLETE" else None,
        params=peak_first(trial.params),
        attrs=dict(trial.user_attrs),
        scores=dict(sorted(trial.intermediate_values.items())),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        cost=trial.values[1] if state == "COMPLETE" and len(trial.values) > 1 else None,
    )


def peak_first(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with the peak, which is drawn last, as the first one."""
    return dict(sorted(params.items(), key=lambda param: meaning(param[0]) != "lr"))


def status_of(record: TrialRecord, sign: float) -> TrialStatus:
    """Return the trial as promotion decisions read it.

    Args:
        record: The trial.
        sign: Multiplies the scores, so that lower ones are better.
    """
    judged = {s: v for s, v in record.scores.items() if s != record.attrs.get(OFF_RUNG)}
    waits = max(judged, default=0) > record.attrs.get(PROMOTED, 0)
    at_rung = waits and not record.attrs.get(SEARCHES)  # which is never judged
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
    """Return how many trials are in one of ``states``.

    Args:
        trials: Any trials.
        states: Optuna's names of states.
    """
    return sum(trial.state in states for trial in trials)
