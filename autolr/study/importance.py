"""How much each parameter of a study decides about its score."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator

from autolr.predicates import is_number
from autolr.study.records import SAME_AS, TrialRecord
from autolr.study.storage import without_logs
from autolr.study.summary import Summary

LEAST = 10  # complete trials; fewer say nothing about which parameters matter
_TOP = 0.25  # the best share of them: of so few trials, Optuna's own 0.1 is one


def importances(study: Summary) -> dict[str, float]:
    """Return the share of each parameter in what makes a trial good, the largest first.

    PED-ANOVA (arXiv:2304.10255, by Optuna) compares how a parameter is distributed in the best
    quarter of the complete trials and in all of them; a parameter that only some trials have counts
    where they have it. The shares add up to 1. Failed, pruned and diverged trials are left out, and
    trials that repeat the score of another.

    Returns:
        Empty if fewer than `LEAST` trials are complete, all have one score, or no parameter varies.
    """
    own = [trial for trial in study.ranked if SAME_AS not in trial.attrs]
    trials = [trial for trial in own if math.isfinite(trial.value or 0.0)]
    if len(trials) < LEAST or len({trial.value for trial in trials}) == 1:
        return {}
    domains = _domains(study.fingerprint.get("space", {}), trials)
    with warnings.catch_warnings(), without_logs():
        warnings.simplefilter("ignore")  # about regimes of few trials
        rebuilt = optuna.create_study(direction=study.direction)
        rebuilt.add_trials([_frozen(trial, domains) for trial in trials])
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_TOP)
        parts = evaluator.evaluate(rebuilt)
    total = sum(parts.values())
    if not (math.isfinite(total) and total > 0):
        return {}
    return {name: part / total for name, part in parts.items()}


def _frozen(trial: TrialRecord, domains: Mapping[str, BaseDistribution]) -> Any:
    params = {name: value for name, value in trial.params.items() if name in domains}
    return optuna.trial.create_trial(
        params=params,
        distributions={name: domains[name] for name in params},
        value=trial.value,
    )


def _domains(space: Any, trials: Sequence[TrialRecord]) -> dict[str, BaseDistribution]:
    """Return what the trials have of each parameter that varies, as a domain of Optuna's."""
    seen: dict[str, list[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            seen.setdefault(name, []).append(value)
    varied = {name: values for name, values in seen.items() if len(set(values)) > 1}
    return {name: _domain(_of(space, name), values) for name, values in varied.items()}


def _of(space: Any, name: str) -> Mapping[str, Any]:
    domain = space.get(name) if isinstance(space, Mapping) else None
    return domain if isinstance(domain, Mapping) else {}


def _domain(known: Mapping[str, Any], values: Sequence[Any]) -> BaseDistribution:
    if "choices" in known or not all(map(is_number, values)):
        return CategoricalDistribution(tuple(dict.fromkeys(values)))
    log = bool(known.get("log")) and min(values) > 0
    if all(isinstance(value, int) for value in values):
        return IntDistribution(min(values), max(values), log=log)
    return FloatDistribution(min(values), max(values), log=log)
