"""How much better than the best trial a candidate may still be: what `tune.stop.regret` asks."""

import functools
import json
import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection

from autolr.space import Space
from autolr.study.names import SEARCHES
from autolr.study.records import Direction, TrialRecord
from autolr.study.widening import distribution_of

_LEAST = 20  # complete trials: with fewer, Optuna's terminators do not end a study either


def regret_bound(
    space: Space, trials: Sequence[TrialRecord], direction: Direction, seed: int
) -> float | None:
    """Return by how much the best trial is worse than the best candidate, at most; None: unknown.

    A Gaussian process over the parameters that every candidate has gives a bound that holds with
    90 % probability. It is unknown before 20 trials are complete. Trials that searched their own
    peak do not count.

    Args:
        space: The space.
        trials: Of one study.
        direction: Whether lower or higher values are better.
        seed: Of the study.

    Source: Makarova et al. 2022, Automatic Termination for Hyperparameter Optimization.
    """
    drawn = [one for one in trials if one.value is not None and not one.attrs.get(SEARCHES)]
    if len(drawn) < _LEAST:
        return None
    shared = [name for name, domain in space.parameters if not domain.when]
    points = [[[one.params[name] for name in shared], one.value] for one in drawn]
    domains = {name: value for name, value in space.to_dict().items() if name in shared}
    return _bound(json.dumps(domains), json.dumps(points), direction, seed)


@functools.lru_cache(maxsize=4)  # a driver asks before each trial, and a fit takes a second
def _bound(domains: str, points: str, direction: Direction, seed: int) -> float | None:
    space = Space.from_dict(json.loads(domains))
    every = {name: distribution_of(domain) for name, domain in space.parameters}
    names = [name for name, one in every.items() if not _is_fixed(one)]
    if not names:
        return None
    trials = [
        optuna.create_trial(
            value=value,
            params={
                name: one for name, one in zip(space.names, values, strict=True) if name in names
            },
            distributions={name: every[name] for name in names},
        )
        for values, value in json.loads(points)
    ]
    from optuna.terminator import RegretBoundEvaluator  # here: few studies ask, and it takes long

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = RegretBoundEvaluator(seed=seed)
    minimized = direction == "minimize"
    way = StudyDirection.MINIMIZE if minimized else StudyDirection.MAXIMIZE
    return float(evaluator.evaluate(trials, way))


def _is_fixed(distribution: optuna.distributions.BaseDistribution) -> bool:
    return isinstance(distribution, CategoricalDistribution) and len(distribution.choices) == 1
