"""What Hyperband did: trials judged and promoted at each rung."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autolr.study import Summary, TrialRecord, sign_of


@dataclass(frozen=True, slots=True)
class Rung:
    """The trials at a rung of a bracket.

    Attributes:
        bracket: Its number.
        step: Optimizer steps at which trials are judged; None: the bracket never judges.
        judged: Trials with a score there; in a bracket that never judges, all its trials.
        passed: Those of them that were promoted.
        best: The best score there; NaN if no score is finite.
    """

    bracket: int
    step: int | None
    judged: int
    passed: int
    best: float


def rungs(study: Summary) -> list[Rung]:
    """Return the rungs of all brackets that trials reached; [] without Hyperband."""
    brackets: dict[int, list[TrialRecord]] = {}
    for trial in study.trials:
        if trial.attrs.get("bracket") is not None:
            brackets.setdefault(int(trial.attrs["bracket"]), []).append(trial)
    reached = []
    for bracket, trials in sorted(brackets.items()):
        steps = sorted({step for trial in trials for step in _judged(trial)})
        reached += [_rung(study, bracket, step, trials) for step in steps]
        if not steps:
            done = sum(trial.state == "COMPLETE" for trial in trials)
            reached.append(Rung(bracket, None, len(trials), done, math.nan))
    return reached if any(rung.step is not None for rung in reached) else []


def _rung(study: Summary, bracket: int, step: int, trials: Sequence[TrialRecord]) -> Rung:
    judged = [trial for trial in trials if step in _judged(trial)]
    passed = [
        trial
        for trial in judged
        if trial.attrs.get("promoted", 0) >= step
        or max(trial.scores) > step
        or trial.state == "COMPLETE"
    ]
    finite = [score for trial in judged if math.isfinite(score := trial.scores[step])]
    best = min(finite, key=lambda score: sign_of(study.direction) * score, default=math.nan)
    return Rung(bracket, step, len(judged), len(passed), best)


def _judged(trial: TrialRecord) -> list[int]:
    """Return the rungs at which a trial was judged, without the step at which it stopped early."""
    return [step for step in trial.scores if step != trial.attrs.get("off_rung")]
