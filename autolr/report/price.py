"""What trials cost: optimizer steps and seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autolr.study import Summary, TrialRecord, sign_of


@dataclass(frozen=True, slots=True)
class Price:
    """The price of some trials.

    Attributes:
        trials: Their number.
        steps: Optimizer steps, probes included.
        unknown: Started trials that made more steps than are stored: they failed, were
            interrupted, or still run. Their steps up to the last rung count.
        seconds: Of training and validation, without waiting.
    """

    trials: int
    steps: int
    unknown: int
    seconds: float


def price_of(trials: Sequence[TrialRecord]) -> Price:
    """Return the price of trials, finished or not."""
    return Price(
        trials=len(trials),
        steps=sum(map(steps_of, trials)),
        unknown=sum(map(_lost, trials)),
        seconds=sum(float(trial.attrs.get("seconds", 0.0)) for trial in trials),
    )


def steps_of(trial: TrialRecord) -> int:
    """Return a trial's optimizer steps, as far as they are stored."""
    if "steps" in trial.attrs:
        return int(trial.attrs["steps"])
    return max(trial.scores, default=0) if "candidate" in trial.attrs else 0


def run_steps(study: Summary) -> int:
    """Return the steps of a whole run, that of the best trial; 0 if not known."""
    lengths = [
        trial.attrs["run_steps"]
        for trial in (*study.ranked[:1], *study.trials)
        if "run_steps" in trial.attrs
    ]
    return int(lengths[0]) if lengths else 0


def progress(study: Summary) -> list[tuple[int, float]]:
    """Return (steps, best value so far) at each improvement.

    When a trial completes, the steps of all trials that had started by then count in full, though
    some waited or still ran: the true price was never higher.
    """
    over = [trial for trial in study.trials if trial.value is not None]
    over.sort(key=lambda trial: (trial.ended or datetime.min, trial.number))
    improvements: list[tuple[int, float]] = []
    sign, last = sign_of(study.direction), -1
    for trial in over:
        last = max(last, trial.number, *_begun(study, trial.ended))
        value = trial.value
        if value is None or not math.isfinite(value):
            continue
        if not improvements or sign * value < sign * improvements[-1][1]:
            paid = sum(steps_of(one) for one in study.trials if one.number <= last)
            improvements.append((paid, value))
    return improvements


def _begun(study: Summary, until: datetime | None) -> list[int]:
    if until is None:
        return []
    times = ((trial.number, trial.started or trial.ended) for trial in study.trials)
    return [number for number, time in times if time is not None and time <= until]


def _lost(trial: TrialRecord) -> bool:
    """Return whether some steps of a trial are not stored."""
    cut = trial.attrs.get("restarts", 0) or trial.attrs.get("attempts", 0)
    begun = trial.started is not None or bool(trial.scores) or trial.state == "FAIL"
    return begun and bool(cut or trial.state == "RUNNING" or "steps" not in trial.attrs)
