"""Syne Tune's schedulers, asked and told in one process."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, loguniform, uniform
from syne_tune.optimizer.baselines import ASHA, ASHACQR, CQR
from syne_tune.optimizer.scheduler import SchedulerDecision

from examples.time_to_target.peers.budget import Budget
from examples.time_to_target.peers.problem import PARTS, RUNGS, Range, Space

_LOST = 100.0  # the loss of a run that diverged: its models take finite ones only
_PART, _LOSS = "part", "loss"


def asha(budget: Budget, seed: int) -> None:
    """ASHA, from 1 to 27 parts of a run, eta 3: runs are stopped, never paused."""
    _study(budget, seed, lambda **given: ASHA(**given, time_attr=_PART, max_t=PARTS), RUNGS)


def cqr(budget: Budget, seed: int) -> None:
    """Conformal quantile regression over whole runs."""
    _study(budget, seed, CQR, RUNGS[-1:])


def asha_cqr(budget: Budget, seed: int) -> None:
    """ASHA whose points are drawn by conformal quantile regression."""
    _study(budget, seed, lambda **given: ASHACQR(**given, time_attr=_PART, max_t=PARTS), RUNGS)


def _study(budget: Budget, seed: int, build: Callable[..., Any], rungs: tuple[int, ...]) -> None:
    np.random.seed(seed)  # which brackets are drawn from
    scheduler = build(
        config_space=_config_space(budget.problem.space),
        metric=_LOSS,
        random_seed=seed,
        points_to_evaluate=[dict(budget.problem.default)],
    )
    number = 0
    while True:
        trial = Trial(number, scheduler.suggest().config, datetime.now())
        scheduler.on_trial_add(trial)
        _train(budget, scheduler, trial, rungs)
        number += 1


def _train(budget: Budget, scheduler: Any, trial: Trial, rungs: tuple[int, ...]) -> None:
    training = budget.begin(trial.config)
    for part in rungs:
        result = {_PART: part, _LOSS: min(training.until(part), _LOST)}
        if part == PARTS:
            scheduler.on_trial_complete(trial, result)
        elif scheduler.on_trial_result(trial, result) == SchedulerDecision.STOP:
            return


def _config_space(space: Space) -> dict[str, Any]:
    return {
        name: (loguniform if domain.log else uniform)(domain.low, domain.high)
        if isinstance(domain, Range)
        else choice(list(domain.values))
        for name, domain in space.items()
    }
