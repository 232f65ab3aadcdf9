"""NePS' PriorBand, asked and told in one process. Its prior is the setting of the user."""

from typing import Any

import neps
import numpy as np
import torch

from examples.time_to_target.peers.budget import Budget
from examples.time_to_target.peers.problem import PARTS, Point, Range, Training

_LOST = 100.0  # the loss of a run that diverged
_PART = "part"


def priorband(budget: Budget, seed: int) -> None:
    """PriorBand at its defaults: Hyperband, from 1 to 27 parts, eta 3; runs are resumed."""
    np.random.seed(seed)
    torch.manual_seed(seed)
    asked = neps.AskAndTell(neps.algorithms.priorband(_space(budget)))
    paused: dict[str, Training] = {}
    while True:
        trial = asked.ask()
        config = dict(trial.config)
        part, candidate = int(config.pop(_PART)), trial.id.split("_rung_")[0]
        training = paused.pop(candidate, None) or budget.begin(config)
        loss = training.until(part)
        if part < PARTS:
            paused[candidate] = training
        asked.tell(trial, min(loss, _LOST))


def _space(budget: Budget) -> Any:
    problem = budget.problem
    parameters: dict[str, Any] = {
        name: _parameter(name, domain, problem.default) for name, domain in problem.space.items()
    }
    parameters[_PART] = neps.IntegerFidelity(lower=1, upper=PARTS)
    return type("PeerSpace", (neps.PipelineSpace,), parameters)()


def _parameter(name: str, domain: Any, default: Point) -> Any:
    if isinstance(domain, Range):
        return neps.Float(
            lower=domain.low,
            upper=domain.high,
            log=domain.log,
            prior=float(default[name]),
            prior_confidence="medium",
        )
    values = domain.values
    return neps.Categorical(values, prior=values.index(default[name]), prior_confidence="medium")
