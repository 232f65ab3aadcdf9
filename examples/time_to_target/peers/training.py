"""A run of a task that can be left at a part and continued later."""

import math
from contextlib import nullcontext

import torch

from autolr.schedules import Schedule
from examples.time_to_target.loop import Loop, is_lost, set_rates
from examples.time_to_target.peers.problem import PARTS
from examples.time_to_target.tasks_base import Task


class TaskTraining:
    """A run of a task, step for step that of `examples.time_to_target.loop.train`.

    Args:
        task: What to train; its model is changed in place.
        peak: The rate that the schedule multiplies.
        schedule: Over the whole run.

    Attributes:
        spent: Steps over those of a whole run.
    """

    def __init__(self, task: Task, peak: float, schedule: Schedule) -> None:
        self.spent = 0.0
        self._task, self._optimizer = task, task.make_optimizer(peak)
        self._rates = (peak * schedule.values(task.steps)).tolist()
        self._loop = Loop(task, self._optimizer, nullcontext())
        self._initial = self._loop.validate()  # the benchmark's own
        self._done, self._lost = 0, False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed)
            self._generator = torch.get_rng_state()

    def until(self, part: int) -> float:
        """Train until a part of the run; return the validation loss, inf once it is lost."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._generator)
            loss = self._trained(round(self._task.steps * part / PARTS))
            self._generator = torch.get_rng_state()
        self.spent = self._done / self._task.steps
        return loss

    def _trained(self, steps: int) -> float:
        while self._done < steps and not self._lost:
            set_rates(
                self._optimizer, [self._rates[self._done]] * len(self._optimizer.param_groups)
            )
            self._lost = not math.isfinite(self._loop.step(self._done))
            self._done += 1
        if self._lost:
            return math.inf
        loss = self._loop.validate()
        self._lost = is_lost(loss, self._initial)
        return math.inf if self._lost else loss
