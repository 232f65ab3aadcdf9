"""What trials cost: optimizer steps and seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autolr.study import Summary, TrialRecord, sign_of


@dataclass(frozen=True, slots=True)
class Price:
    """What trials cost together.

    Attributes:
        trials: How many.
        steps: Optimizer steps, those of probes included.
        unknown: Trials that were begun and of whose steps some or all are not known: they failed,
            were cut, or run. Their steps up to the last rung are counted.
        seconds: Of training and validation, not of waiting.
    """

    trials: int
    steps: int
    unknown: int
    seconds: float


def price_of(trials: Sequence[TrialRecord]) -> Price:
    """Return what trials cost, whatever came of them."""
    return Price(
        trials=len(trials),
        steps=sum(map(steps_of, trials)),
        unknown=sum(map(_lost, trials)),
        seconds=sum(float(trial.attrs.get("seconds", 0.0)) for trial in trials),
    )


def steps_of(trial: TrialRecord) -> int:
    """Return a trial's optimizer steps, as far as they are known."""
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
    """Return the best value so far against the steps paid for it, both as of each improvement.

    When a trial completes, all trials that had begun by then are paid for in full, though some of
    them waited or ran on: what is shown was never cheaper.
    """
    over = [trial for trial in study.trials if trial.value is not None]
    over.sort(key=lambda trial: (trial.ended or datetime.min, trial.number))
    found: list[tuple[int, float]] = []
    sign, last = sign_of(study.direction), -1
    for trial in over:
        last = max(last, trial.number, *_begun(study, trial.ended))
        value = trial.value
        if value is None or not math.isfinite(value):
            continue
        if not found or sign * value < sign * found[-1][1]:
            paid = sum(steps_of(one) for one in study.trials if one.number <= last)
            found.append((paid, value))
    return found


def _begun(study: Summary, moment: datetime | None) -> list[int]:
    if moment is None:
        return []
    times = ((trial.number, trial.started or trial.ended) for trial in study.trials)
    return [number for number, time in times if time is not None and time <= moment]


def _lost(trial: TrialRecord) -> bool:
    """Return whether steps of a trial are not in its count."""
    cut = trial.attrs.get("restarts", 0) or trial.attrs.get("attempts", 0)
    begun = trial.started is not None or bool(trial.scores) or trial.state == "FAIL"
    return begun and bool(cut or trial.state == "RUNNING" or "steps" not in trial.attrs)
