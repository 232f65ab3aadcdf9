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
from autolr.study.ranking import sign_of
from autolr.study.records import SAME_AS, TrialRecord
from autolr.study.storage import without_logs
from autolr.study.summary import Summary

LEAST = 20  # trials: five in the best quarter, as Optuna advises
_TOP = 0.25  # the best share of them: of so few trials, Optuna's own 0.1 is one


def importances(study: Summary) -> dict[str, float]:
    """Return the share of each parameter in what makes a trial good, the largest first.

    PED-ANOVA (arXiv:2304.10255, by Optuna) compares how a parameter is distributed in the best
    quarter of the trials and in all of them; a parameter that only some trials have counts where
    they have it. The shares add up to 1. A pruned trial has the score of its last rung, a score
    that is not finite is the worst. Failed trials are left out, and those that repeat another.

    Returns:
        Empty if fewer than `LEAST` trials have scores, all have one score, or no parameter varies.
    """
    scored = _scored(study)
    if len(scored) < LEAST or len({score for _, score in scored}) == 1:
        return {}
    domains = _domains(study.fingerprint.get("space", {}), [trial for trial, _ in scored])
    with warnings.catch_warnings(), without_logs():
        warnings.simplefilter("ignore")  # about regimes of few trials
        rebuilt = optuna.create_study()
        rebuilt.add_trials([_frozen(trial, score, domains) for trial, score in scored])
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_TOP)
        parts = evaluator.evaluate(rebuilt)
    total = sum(parts.values())
    if not (math.isfinite(total) and total > 0):
        return {}
    return {name: part / total for name, part in parts.items()}


def _scored(study: Summary) -> list[tuple[TrialRecord, float]]:
    """Return the trials that are over with a score each, of which lower is better."""
    sign, known = sign_of(study.direction), []
    for trial in study.trials:
        if trial.state in ("COMPLETE", "PRUNED") and SAME_AS not in trial.attrs:
            last = trial.scores[max(trial.scores)] if trial.scores else None
            score = trial.value if trial.value is not None else last
            if score is not None:
                known.append((trial, sign * score))
    worst = max((score for _, score in known if math.isfinite(score)), default=0.0)
    return [(trial, score if math.isfinite(score) else worst + 1.0) for trial, score in known]


def _frozen(trial: TrialRecord, score: float, domains: Mapping[str, BaseDistribution]) -> Any:
    params = {name: value for name, value in trial.params.items() if name in domains}
    return optuna.trial.create_trial(
        params=params,
        distributions={name: domains[name] for name in params},
        value=score,
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
