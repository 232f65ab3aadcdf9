"""What a study came to: its best trials, its price, and who was judged where."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol

from autolr.report.show import ShownStudy, ShownTrial, last_score
from autolr.report.table import chosen, stopped_early


class ReportedTrial(ShownTrial, Protocol):
    """What is reported of a trial."""

    @property
    def cost(self) -> float | None:
        """What it cost, in a study that minimizes that too; None unless complete."""

    @property
    def started(self) -> datetime | None:
        """When it was started or gone on with last."""

    @property
    def ended(self) -> datetime | None:
        """None if it is not over."""


class ReportedStudy(ShownStudy, Protocol):
    """What is reported of a study; its fingerprint is empty if autolr did not make it."""

    @property
    def trials(self) -> Sequence[ReportedTrial]:
        """By number."""

    @property
    def front(self) -> Sequence[ReportedTrial]:
        """Of a study with a cost, the trials that none beats in both, best value first."""


@dataclass(frozen=True, slots=True)
class OthersTrial:
    """A trial that autolr did not make."""

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    scores: Mapping[int, float]
    started: datetime | None
    ended: datetime | None
    cost: float | None
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OthersStudy:
    """A study that autolr did not make; attributes of its trials could mean anything."""

    name: str
    direction: str
    trials: Sequence[OthersTrial]
    front: Sequence[OthersTrial]
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, study: ReportedStudy) -> "OthersStudy":
        """Return a study without attributes."""
        names = [one.name for one in fields(OthersTrial) if one.name != "attrs"]
        trials = {
            trial.number: OthersTrial(**{name: getattr(trial, name) for name in names})
            for trial in study.trials
        }
        front = [trials[trial.number] for trial in study.front]
        return cls(study.name, study.direction, list(trials.values()), front)


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


@dataclass(frozen=True, slots=True)
class Rung:
    """What happened at a rung of Hyperband's.

    Attributes:
        bracket: Its number.
        step: Optimizer steps at which trials are judged; None: the bracket judges nowhere.
        judged: Trials with a score there, or, of a bracket that judges nowhere, all that began.
        passed: Those of them that went on.
        best: The best score there; NaN if none is finite.
    """

    bracket: int
    step: int | None
    judged: int
    passed: int
    best: float


def monitor_of(study: ReportedStudy) -> str:
    """Return the name of the metric."""
    return str(study.fingerprint.get("monitor", "value"))


def cost_of(study: ReportedStudy) -> str | None:
    """Return what is minimized beside the metric, as a column is called; None: nothing."""
    objective = study.fingerprint.get("objective")
    if objective is None:
        return "cost" if any(trial.cost is not None for trial in study.trials) else None
    return {"cost": "steps"}.get(objective[1], str(objective[1]))


def sign_of(study: ReportedStudy) -> int:
    """Return what makes of a value one of which lower is better."""
    return -1 if study.direction == "maximize" else 1


def ranked(study: ReportedStudy) -> list[ReportedTrial]:
    """Return the complete trials by value, best first; of equal ones the oldest first."""
    valued = [
        (sign_of(study) * trial.value, trial.number, trial)
        for trial in study.trials
        if trial.value is not None and math.isfinite(trial.value)
    ]
    return [trial for _, _, trial in sorted(valued, key=lambda one: one[:2])]


def diverged(trial: ReportedTrial) -> bool:
    """Return whether a trial ended with a score that is not finite."""
    return trial.attrs.get("reason") == "diverged" or any(map(math.isnan, trial.scores.values()))


def score_of(trial: ReportedTrial) -> float | None:
    """Return the final score, or the last one; NaN if it diverged, None without any."""
    if diverged(trial):
        return math.nan
    return trial.value if trial.value is not None else last_score(trial)


def steps_of(trial: ReportedTrial) -> int:
    """Return a trial's optimizer steps, as far as they are known."""
    if "steps" in trial.attrs:
        return int(trial.attrs["steps"])
    return max(trial.scores, default=0) if "candidate" in trial.attrs else 0


def price(trials: Sequence[ReportedTrial]) -> Price:
    """Return what trials cost, whatever came of them."""
    return Price(
        trials=len(trials),
        steps=sum(map(steps_of, trials)),
        unknown=sum(map(_lost, trials)),
        seconds=sum(float(trial.attrs.get("seconds", 0.0)) for trial in trials),
    )


def run_steps(study: ReportedStudy) -> int:
    """Return the steps of a whole run, that of the best trial; 0 if not known."""
    lengths = [
        trial.attrs["run_steps"]
        for trial in (*ranked(study)[:1], *study.trials)
        if "run_steps" in trial.attrs
    ]
    return int(lengths[0]) if lengths else 0


def fates(study: ReportedStudy) -> dict[str, list[ReportedTrial]]:
    """Return the trials by what became of them, in words; only what there is."""
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    words |= {"RUNNING": "running", "WAITING": "waiting"}
    found: dict[str, list[ReportedTrial]] = {word: [] for word in words.values()}
    for trial in study.trials:
        fate = "stopped early" if stopped_early(trial) else words[trial.state]
        found.setdefault(fate, []).append(trial)
    return {word: trials for word, trials in found.items() if trials}


def progress(study: ReportedStudy) -> list[tuple[int, float]]:
    """Return the best value so far against the steps paid for it, both as of each improvement.

    When a trial completes, all trials that had begun by then are paid for in full, though some of
    them waited or ran on: what is shown was never cheaper.
    """
    over = [trial for trial in study.trials if trial.value is not None]
    over.sort(key=lambda trial: (trial.ended or datetime.min, trial.number))
    found: list[tuple[int, float]] = []
    sign, last = sign_of(study), -1
    for trial in over:
        last = max(last, trial.number, *_begun(study, trial.ended))
        value = trial.value
        if value is None or not math.isfinite(value):
            continue
        if not found or sign * value < sign * found[-1][1]:
            paid = sum(steps_of(one) for one in study.trials if one.number <= last)
            found.append((paid, value))
    return found


def rungs(study: ReportedStudy) -> list[Rung]:
    """Return the rungs of all brackets, as far as trials came to them; [] without Hyperband."""
    brackets: dict[int, list[ReportedTrial]] = {}
    for trial in study.trials:
        if trial.attrs.get("bracket") is not None:
            brackets.setdefault(int(trial.attrs["bracket"]), []).append(trial)
    found = []
    for bracket, trials in sorted(brackets.items()):
        steps = sorted({step for trial in trials for step in _judged(trial)})
        found += [_rung(study, bracket, step, trials) for step in steps]
        if not steps:
            done = sum(trial.state == "COMPLETE" for trial in trials)
            found.append(Rung(bracket, None, len(trials), done, math.nan))
    return found if any(rung.step is not None for rung in found) else []


def varied(study: ReportedStudy) -> dict[str, list[tuple[ReportedTrial, Any]]]:
    """Return each parameter that differs among trials, with those that have it and its values."""
    found: dict[str, list[tuple[ReportedTrial, Any]]] = {}
    for trial in study.trials:
        for name, value in chosen(trial).items():
            if value is not None and value != "online":
                found.setdefault(name, []).append((trial, value))
    return {
        name: pairs for name, pairs in found.items() if len({str(value) for _, value in pairs}) > 1
    }


def _rung(study: ReportedStudy, bracket: int, step: int, trials: Sequence[ReportedTrial]) -> Rung:
    judged = [trial for trial in trials if step in _judged(trial)]
    passed = [
        trial
        for trial in judged
        if trial.attrs.get("promoted", 0) >= step
        or max(trial.scores) > step
        or trial.state == "COMPLETE"
    ]
    finite = [score for trial in judged if math.isfinite(score := trial.scores[step])]
    best = min(finite, key=lambda score: sign_of(study) * score, default=math.nan)
    return Rung(bracket, step, len(judged), len(passed), best)


def _judged(trial: ReportedTrial) -> list[int]:
    """Return the rungs at which a trial was judged, and not the step at which it stopped early."""
    return [step for step in trial.scores if step != trial.attrs.get("off_rung")]


def _begun(study: ReportedStudy, moment: datetime | None) -> list[int]:
    if moment is None:
        return []
    times = ((trial.number, trial.started or trial.ended) for trial in study.trials)
    return [number for number, time in times if time is not None and time <= moment]


def _lost(trial: ReportedTrial) -> bool:
    """Return whether steps of a trial are not in its count."""
    cut = trial.attrs.get("restarts", 0) or trial.attrs.get("attempts", 0)
    begun = trial.started is not None or bool(trial.scores) or trial.state == "FAIL"
    return begun and bool(cut or trial.state == "RUNNING" or "steps" not in trial.attrs)
