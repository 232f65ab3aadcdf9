"""The plain training loop that every method is measured in."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from autolr.schedules import Schedule, constant, cooldown, cosine, linear, warmup
from examples.time_to_target.tasks_base import Task

CHECKPOINTS = (1, 3, 6, 9, 12, 15, 18, 20, 22, 24, 25, 26, 27)
"""When a run is validated, in 27ths of it: Hyperband's rungs 1, 3, 9, 27 are among them."""

PROFILES: dict[str, Schedule] = {
    "constant": constant(),
    "linear": linear(),
    "cosine": warmup(0.05) | cosine(),
    "wsd": warmup(0.05) | constant() | cooldown(0.2, "linear"),
}

_LOST = 20.0  # a run has diverged when its validation loss is so many times the initial one


@dataclass(frozen=True)
class Run:
    """What a run reached and what it cost.

    Attributes:
        final: The last validation loss; inf after divergence.
        curve: The validation loss at CHECKPOINTS; inf from divergence on.
        steps: Optimizer steps taken.
        validation_passes: Passes over the validation data, the one before step 1 included.
        seconds: Wall time of the whole.
        training_seconds: Wall time inside training steps and validation.
        diverged: Whether the run was stopped because it was lost.
    """

    final: float
    curve: tuple[float, ...]
    steps: int
    validation_passes: int
    seconds: float
    training_seconds: float
    diverged: bool


def checkpoints(steps: int) -> list[int]:
    """Return after which steps a run is validated."""
    return [round(steps * k / CHECKPOINTS[-1]) for k in CHECKPOINTS]


def is_lost(value: float, initial: float) -> bool:
    """Return whether a validation loss means divergence."""
    return not math.isfinite(value) or value > _LOST * initial


def curve_of(values: Sequence[float], initial: float) -> tuple[float, ...]:
    """Return the values at all checkpoints: inf from the one on where the run was lost."""
    curve = [math.inf] * len(CHECKPOINTS)
    for k, value in enumerate(values):
        if is_lost(value, initial):
            break
        curve[k] = value
    return tuple(curve)


def train(
    task: Task,
    optimizer: Optimizer,
    schedule: Schedule | None,
    *,
    evaluate_with: AbstractContextManager[object] | None = None,
    closure: bool = False,
    after_step: Callable[[], object] | None = None,
) -> Run:
    """Train a task for its steps, or until it is lost.

    The global generator is seeded with the task's seed, so that dropout repeats itself.

    Args:
        task: What to train; its model is changed in place.
        optimizer: Over the model's parameters. One with ``train()`` and ``eval()``, as those
            of schedulefree, is switched around training and validation.
        schedule: Multiplies the rate that each group has now. None: rates are left alone.
        evaluate_with: Entered around every validation, so it must be reusable; for averaged
            weights, say.
        closure: Whether ``optimizer.step`` gets the closure that computes the gradient.
        after_step: Called after every step.
    """
    torch.manual_seed(task.seed)
    started = time.perf_counter()
    loop = Loop(task, optimizer, evaluate_with or nullcontext(), closure)
    scales = [None] * task.steps if schedule is None else schedule.values(task.steps).tolist()
    rates = [group["lr"] for group in optimizer.param_groups]
    due, values = set(checkpoints(task.steps)), list[float]()
    initial, done = loop.validate(), 0
    for done, scale in enumerate(scales, start=1):
        if scale is not None:
            set_rates(optimizer, [rate * scale for rate in rates])
        loop.step(done - 1)
        if after_step is not None:
            after_step()
        if done in due:
            values.append(loop.validate())
            if is_lost(values[-1], initial):
                break
    curve = curve_of(values, initial)
    return Run(
        final=curve[-1],
        curve=curve,
        steps=done,
        validation_passes=1 + len(values),
        seconds=time.perf_counter() - started,
        training_seconds=loop.seconds,
        diverged=math.isinf(curve[-1]),
    )


def set_rates(optimizer: Optimizer, rates: Sequence[float]) -> None:
    """Set the rate of each group of an optimizer."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


class Loop:
    """Steps and validations of one run, and the time inside them.

    Args:
        task: What to train; its model is changed in place.
        optimizer: Over the model's parameters.
        evaluating: Entered around every validation.
        closure: Whether the optimizer's step gets the closure that computes the gradient.

    Attributes:
        seconds: Wall time inside steps and validations.
    """

    def __init__(
        self,
        task: Task,
        optimizer: Optimizer,
        evaluating: AbstractContextManager[object],
        closure: bool = False,
    ) -> None:
        self.seconds = 0.0
        self._task, self._optimizer = task, optimizer
        self._evaluating, self._closure = evaluating, closure
        self._switch("train")

    def step(self, i: int) -> float:
        """Take optimizer step ``i``, counted from 0; return its training loss."""
        started = time.perf_counter()
        batch = self._task.batch(i)

        def gradient() -> float:
            self._optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                loss = self._task.training_loss(batch, i)
                loss.backward()  # type: ignore[no-untyped-call]
            if self._task.clip is not None:
                nn.utils.clip_grad_norm_(self._task.model.parameters(), self._task.clip)
            return loss.item()

        if self._closure:
            loss = self._optimizer.step(gradient)
            assert loss is not None
        else:
            loss = gradient()
            self._optimizer.step()
        self.seconds += time.perf_counter() - started
        return loss

    def validate(self) -> float:
        """Return the validation loss of the weights that the method evaluates."""
        started = time.perf_counter()
        self._switch("eval")
        with self._evaluating:
            value = self._task.validate(self._task.model)
        self._switch("train")
        self.seconds += time.perf_counter() - started
        return value

    def _switch(self, mode: str) -> None:
        """Put the model, and the optimizer where it has modes, into a mode."""
        for part in (self._task.model, self._optimizer):
            if hasattr(part, mode):
                getattr(part, mode)()
