"""Facts about a study and its trials that several parts of a report show."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autolr.counted import counted
from autolr.report.show import last_score
from autolr.report.table import chosen
from autolr.study import DISCARDED, Summary, TrialRecord


def without_attributes(study: Summary) -> Summary:
    """Return a study of another tool without its attributes: their names could mean anything."""
    trials = tuple(replace(trial, attrs={}) for trial in study.trials)
    return replace(study, attrs={}, trials=trials)


def config_of(study: Summary) -> Mapping[str, Any]:
    """Return the config that the study was made with, without `tune:`."""
    config: Mapping[str, Any] = study.fingerprint.get("config", {})
    return config


def cost_of(study: Summary) -> str | None:
    """Return the second objective, as the head of a column; None if there is none."""
    objective = study.fingerprint.get("objective")
    if objective is None:
        return "cost" if any(trial.cost is not None for trial in study.trials) else None
    return {"cost": "steps"}.get(objective[1], str(objective[1]))


def diverged(trial: TrialRecord) -> bool:
    """Return whether a trial ended with a score that is not finite."""
    return trial.diverged or any(map(math.isnan, trial.scores.values()))


def score_of(trial: TrialRecord) -> float | None:
    """Return the final score, else the last one; NaN if it diverged, None if it has none."""
    if diverged(trial):
        return math.nan
    return trial.value if trial.value is not None else last_score(trial)


def fates(study: Summary) -> dict[str, list[TrialRecord]]:
    """Return the trials by fate, such as "pruned" or "stopped early", without empty lists."""
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    words |= {"RUNNING": "running", "WAITING": "waiting"}
    groups: dict[str, list[TrialRecord]] = {word: [] for word in words.values()}
    for trial in study.trials:
        fate = "stopped early" if trial.stopped else words[trial.state]
        groups.setdefault(fate, []).append(trial)
    return {word: trials for word, trials in groups.items() if trials}


def varied(study: Summary) -> dict[str, list[tuple[TrialRecord, Any]]]:
    """Return each parameter that varies among trials, with these trials and its values."""
    pairs_of: dict[str, list[tuple[TrialRecord, Any]]] = {}
    for trial in study.trials:
        for name, value in chosen(trial).items():
            if value is not None and value != "online":
                pairs_of.setdefault(name, []).append((trial, value))
    return {
        name: pairs
        for name, pairs in pairs_of.items()
        if len({str(value) for _, value in pairs}) > 1
    }


def unrepeated(trial: TrialRecord, trained: TrialRecord) -> str | None:
    """Return what of a trial no rerun repeats, for who trains it again; None if it repeats itself.

    Args:
        trial: The best trial.
        trained: The one that best.yaml trains.
    """
    if DISCARDED not in trial.attrs:
        return None
    back = f"its search rolled it back, by {counted(trial.attrs[DISCARDED], 'step')}"
    worse = f"{back}: a run from scratch may end worse, so keep its weights"
    if trained.number == trial.number:
        return worse
    return (
        f"{worse}; best.yaml trains trial {trained.number}, which can be repeated and scores "
        f"{trained.value:.4g} where this one has {trial.value:.4g}"
    )
