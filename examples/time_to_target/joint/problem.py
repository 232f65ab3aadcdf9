"""The joint space, and its runs paid for in FLOPs."""

from dataclasses import dataclass
from functools import cache

import torch

from autolr.schedules import Schedule, constant, cooldown, cosine, linear, warmup
from examples.time_to_target.joint.flops import FlopCounter, count, per_row
from examples.time_to_target.joint.workloads import WORKLOADS
from examples.time_to_target.peers.problem import Choice, Point, Range, Space, Training
from examples.time_to_target.peers.training import TaskTraining
from examples.time_to_target.tasks_base import Task

COOLDOWN = 0.2  # share of a run
_PROFILES: dict[str, Schedule] = {
    "constant": constant(),
    "linear": linear(),
    "cosine": cosine(),
    "wsd": constant() | cooldown(COOLDOWN, "linear"),
}
_ADAMW: Space = {
    "peak": Range(1e-4, 1e-1, log=True),
    "profile": Choice((*_PROFILES,)),
    "warmup": Range(0.0, 0.2),
    "weight_decay": Range(1e-4, 1.0, log=True),
    "width": Choice((16, 32, 64)),
    "dropout": Range(0.0, 0.5),
    "batch_size": Choice((16, 32, 64)),
    "forgetting": Range(5e-4, 1e-1, log=True),  # 1 - beta2
}
_SGD: Space = {
    **_ADAMW,
    "peak": Range(1e-3, 1.0, log=True),
    "weight_decay": Range(1e-5, 1e-2, log=True),
    "width": Choice((4, 8, 16)),
    "forgetting": Range(1e-2, 1.0, log=True),  # 1 - momentum
}
_COMMON: Point = {"profile": "constant", "warmup": 0.0, "dropout": 0.1, "batch_size": 32}
_OF_ADAMW: Point = {"peak": 1e-3, "weight_decay": 1e-2, "width": 32, "forgetting": 1e-3}
_OF_SGD: Point = {"peak": 0.1, "weight_decay": 5e-4, "width": 8, "forgetting": 0.1}


@dataclass(frozen=True)
class Joint:
    """Eight settings of a workload: width and batch size change the price of a step.

    Attributes:
        workload: Its name.
        seed: Of its weights and the order of its batches.
    """

    workload: str
    seed: int

    @property
    def space(self) -> Space:
        """The settings and their values."""
        return _SGD if self._sgd else _ADAMW

    @property
    def default(self) -> Point:
        """The customary settings."""
        return {**_COMMON, **(_OF_SGD if self._sgd else _OF_ADAMW)}

    @property
    def _sgd(self) -> bool:
        return self.workload == "joint_images"

    @property
    def rate(self) -> float:
        """The peak of the workload's user."""
        return float(self.default["peak"])

    def task(self, point: Point) -> Task:
        """Return the task at a point; the FLOPs of its model are counted."""
        task = WORKLOADS[self.workload](self.seed, point)
        count(task.model, *_prices(self.workload, int(point["width"])))
        return task

    def begin(self, point: Point) -> Training:
        """Return a run at a point."""
        schedule, share = _PROFILES[str(point["profile"])], float(point["warmup"])
        if share > 0:
            schedule = warmup(share) | schedule
        training = TaskTraining(self.task(point), float(point["peak"]), schedule)
        return _Paid(training, run_flops(self.workload))


class _Paid:
    """A run whose cost is counted in FLOPs, validation at rungs included."""

    def __init__(self, training: Training, unit: float) -> None:
        self.spent = 0.0
        self._training, self._unit = training, unit

    def until(self, part: int) -> float:
        """Train until a part; return the validation loss."""
        before = FlopCounter.total
        loss = self._training.until(part)
        self.spent += (FlopCounter.total - before) / self._unit
        return loss


@cache
def _prices(workload: str, width: int) -> tuple[float, float]:
    point = {**Joint(workload, 0).default, "width": width}
    task = WORKLOADS[workload](0, point)
    with torch.random.fork_rng(devices=[]):
        return per_row(task.model, task.loss, task.batch(0))


@cache
def run_flops(workload: str) -> float:
    """Return the FLOPs of one run at the default setting, with the validation at its end."""
    default = Joint(workload, 0).default
    forward, both = _prices(workload, int(default["width"]))
    task = WORKLOADS[workload](0, default)
    held = sum(len(part[0]) for part in task.validation)
    return task.steps * int(default["batch_size"]) * both + held * forward
