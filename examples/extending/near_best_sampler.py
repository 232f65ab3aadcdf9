"""A sampler of one's own: most numbers are drawn near those of the best trial so far.

``python -m examples.extending.near_best_sampler`` runs a study with it.
"""

import math
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from autolr import tune

_RANDOM = 5  # trials at first: the best one of fewer says little
_PATH = "examples.extending.near_best_sampler.NearBestSampler"


class NearBestSampler(RandomSampler):
    """Draws a number within a window around that of the best trial, and choices at random.

    Args:
        window: The window's width as a share of the parameter's range, within (0, 1].
        seed: Of the random numbers; autolr passes that of the study.
    """

    def __init__(self, window: float = 0.2, seed: int | None = None) -> None:
        if not 0 < window <= 1:
            raise ValueError(f"window must be a number within (0, 1], got {window!r}")
        super().__init__(seed)
        self._window = window

    @override
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        drawn = super().sample_independent(study, trial, param_name, param_distribution)
        best = _best(study, param_name)
        if best is None or isinstance(param_distribution, CategoricalDistribution):
            return drawn
        if getattr(param_distribution, "log", False):
            between = math.log(best) + self._window * math.log(drawn / best)
            value = math.exp(between)
        else:
            value = best + self._window * (drawn - best)
        return round(value) if isinstance(drawn, int) else value


def _best(study: Study, name: str) -> Any:
    """Return the value of a parameter in the best trial; None if there are too few trials."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    scored = [(trial.values[0], trial.params[name]) for trial in trials if name in trial.params]
    if len(scored) < _RANDOM:
        return None
    lower = study.directions[0] == StudyDirection.MINIMIZE
    choose = min if lower else max
    return choose(scored, key=lambda pair: pair[0])[1]


if __name__ == "__main__":
    sampler = {"class_path": _PATH, "init_args": {"window": 0.3}}
    result = tune(Path(__file__).with_name("objective.yaml"), sampler=sampler, study="near_best")
    best = result.best[0]
    print(f"best: trial {best.number}, val_loss {best.value:.4f}, {dict(best.params)}")
