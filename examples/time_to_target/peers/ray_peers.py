"""Ray Tune's ASHA: a run at a time, each in an actor of Ray that is used again."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator
from typing_extensions import override

from examples.time_to_target.peers.budget import Budget, Spent
from examples.time_to_target.peers.problem import PARTS, RUNGS, Problem, Range, Space

_LOST = 100.0  # the loss of a run that diverged
_PROBLEM = "problem"
_STARTS = 5  # of the node
_ENOUGH = 4096  # runs: the budget ends a study before


def asha(budget: Budget, seed: int) -> None:
    """ASHA, from 1 to 27 parts of a run, eta 3; points are random.

    Raises:
        Spent: At the end.
    """
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[3])  # where actors find this module
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    _start_node()
    with TemporaryDirectory() as folder:
        tune.Tuner(
            _Run,
            param_space={**_param_space(budget.problem.space), _PROBLEM: budget.problem},
            tune_config=tune.TuneConfig(
                metric="loss",
                mode="min",
                scheduler=ASHAScheduler(time_attr="part", max_t=PARTS, reduction_factor=3),
                search_alg=BasicVariantGenerator(
                    points_to_evaluate=[dict(budget.problem.default)],
                    max_concurrent=1,
                    random_state=seed,
                ),
                num_samples=_ENOUGH,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                storage_path=folder,
                stop=_Stopper(budget),
                callbacks=[_Charging(budget)],
                verbose=0,
            ),
        ).fit()
    raise Spent


def _start_node() -> None:
    """Start Ray's node, which on a busy machine may miss Ray's own limit of 30 s at first."""
    for attempt in range(_STARTS):
        try:
            ray.init(
                num_cpus=1, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True
            )
            return
        except Exception:  # Ray raises that very class
            ray.shutdown()
            if attempt == _STARTS - 1:
                raise


class _Run(tune.Trainable):
    """A run, a rung at each step; ``config`` has its problem beside its point."""

    @override
    def setup(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.reset_config(config)

    @override
    def reset_config(self, new_config: dict[str, Any]) -> bool:
        point = dict(new_config)
        problem: Problem = point.pop(_PROBLEM)
        self._training = problem.begin(point)
        self._rungs = iter(RUNGS)
        return True

    @override
    def step(self) -> dict[str, Any]:
        part, before = next(self._rungs), self._training.spent
        loss = min(self._training.until(part), _LOST)
        spent = self._training.spent - before
        return {"part": part, "loss": loss, "spent": spent, "done": part == PARTS}


class _Charging(tune.Callback):
    """Counts what each rung has cost."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    @override
    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
    ) -> None:
        self._budget.charge(result["spent"], result["part"], result["loss"], trial.config)


class _Stopper(tune.Stopper):
    """Ends the study once its budget is spent."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    @override
    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    @override
    def stop_all(self) -> bool:
        return self._budget.spent >= self._budget.runs


def _param_space(space: Space) -> dict[str, Any]:
    return {
        name: (tune.loguniform if domain.log else tune.uniform)(domain.low, domain.high)
        if isinstance(domain, Range)
        else tune.choice(list(domain.values))
        for name, domain in space.items()
    }
