"""One run of a rule on a workload of the benchmark: as it comes, or with its peak searched."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import autolr
from autolr import rules, schedules
from autolr.errors import DivergedError
from autolr.rules import Record
from autolr.rules.optimizer import RuleOptimizer
from autolr.schedules import Schedule
from examples.time_to_target.loop import is_lost, train
from examples.time_to_target.results import Job
from examples.time_to_target.tasks_base import Batch, Batches, Task
from examples.time_to_target.workloads import make

SEARCHED = ", searched"  # ends the name of a method whose peak is searched in the run
WORKLOADS = ("logreg_digits", "mlp_flights", "dropnet_mnist5k")


def methods() -> list[str]:
    """Return each rule, then each whose peak a search may find."""
    searched = [name for name in rules.names() if rules.record(name).peak.searched]
    return [*rules.names(), *(name + SEARCHED for name in searched)]


def measure(job: Job) -> dict[str, object]:
    """Run a job and return its row.

    ``evaluations`` are all passes forward and backward over a batch, including those of the
    search's rivals and of a line search's trials.
    """
    task, count = _counted(make(job.workload, job.seed, job.scale))
    record = rules.record(job.method.removesuffix(SEARCHED))
    optimizer = rules.build(record.name, task.model.parameters())
    task = dataclasses.replace(task, validate=_of_averages(task.validate, optimizer))
    started = time.perf_counter()
    searched = job.method.endswith(SEARCHED)
    run = _searched if searched else _plain
    final, peak = run(task, optimizer, record)
    return {
        **asdict(job),
        "run_steps": task.steps,
        "final": final,
        "peak": peak,
        "evaluations": count(),
        "seconds": time.perf_counter() - started,
        "diverged": math.isinf(final),
    }


def _plain(task: Task, optimizer: Optimizer, record: Record) -> tuple[float, float]:
    run = train(task, optimizer, _profile(record), closure=True)
    return run.final, record.peak.default


def _searched(task: Task, optimizer: Optimizer, record: Record) -> tuple[float, float]:
    initial = task.validate(task.model)
    torch.manual_seed(task.seed)
    learner = autolr.TorchLearner(
        task.model, optimizer, Batches(task), task.loss, validate=task.validate, clip=task.clip
    )
    rates = (record.peak.low, record.peak.high)
    try:
        result = autolr.search(learner, task.steps, schedule=_profile(record), rates=rates)
    except DivergedError:
        return math.inf, math.nan
    final = task.validate(task.model)
    return math.inf if is_lost(final, initial) else final, result.run_peak


def _profile(record: Record) -> Schedule:
    """Return the first profile of a rule's record; those that fall get a short warm-up."""
    profile = schedules.parse(record.schedules[0])
    return profile if record.schedules[0] == "constant" else schedules.warmup(0.05) | profile


def _counted(task: Task) -> tuple[Task, Callable[[], int]]:
    """Return the task, and a counter of the calls of its loss."""
    calls = 0

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        nonlocal calls
        calls += 1
        return task.loss(model, batch)

    return dataclasses.replace(task, loss=loss), lambda: calls


def _of_averages(
    validate: Callable[[nn.Module], float], optimizer: Optimizer
) -> Callable[[nn.Module], Any]:
    """Return the validation of the weights that the rule evaluates: averages, if it has them."""

    def evaluated(model: nn.Module) -> float:
        if not isinstance(optimizer, RuleOptimizer):
            return validate(model)
        with optimizer.averaged():
            return validate(model)

    return evaluated
