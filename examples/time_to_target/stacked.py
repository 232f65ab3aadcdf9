"""Many runs of one workload at once: seeds x (peak, profile), by ``torch.func.vmap``.

A stacked run takes the plain loop's steps on the plain loop's batches; only the order of
floating-point sums differs. It pays where a step is mostly overhead.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from autolr.schedules import Schedule
from examples.time_to_target.loop import PROFILES, Run, checkpoints, curve_of
from examples.time_to_target.tasks_base import Batch, Task

Config = tuple[float, str]  # peak, profile
Tensors = dict[str, Tensor]  # by the parameter's name; each (seeds, configs, *shape)

_EPS = 1e-8  # of Adam, torch's default


def train_stacked(
    tasks: Sequence[Task],
    configs: Sequence[Config],
    profiles: Mapping[str, Schedule] = PROFILES,
) -> list[list[Run]]:
    """Train a copy of every task with every config; return the runs as [task][config].

    The tasks must be one stackable workload at several seeds. Seconds are shares of the whole.

    Args:
        tasks: The workload at each seed.
        configs: A peak and the name of a profile each.
        profiles: The schedules by name.
    """
    started = time.perf_counter()
    task, n = tasks[0], len(configs)
    stack = {name: _stack(tasks, name, n) for name, _ in task.model.named_parameters()}
    gradient, update = _gradient(task), _UPDATES[task.optimizer](task, stack)
    rates = torch.stack(
        [_rates(task.steps, peak, profiles[name]) for peak, name in configs], 1
    )  # (steps, n)
    initials = [task.validate(task.model) for task in tasks]
    values: list[list[list[float]]] = []  # [checkpoint][task][config]
    due = set(checkpoints(task.steps))
    for done in range(1, task.steps + 1):
        batches = zip(*(task.batch(done - 1) for task in tasks), strict=True)
        grads = gradient(stack, tuple(torch.stack(tensors) for tensors in batches))
        update(_clipped(grads, task.clip), rates[done - 1], done)
        if done in due:
            values.append(_validated(tasks, stack, n))
    seconds = (time.perf_counter() - started) / (len(tasks) * n)
    return [
        [_run(task, [row[s][c] for row in values], initials[s], seconds) for c in range(n)]
        for s, task in enumerate(tasks)
    ]


def _stack(tasks: Sequence[Task], name: str, n: int) -> Tensor:
    """Return n copies of every task's parameter: (seeds, configs, *shape)."""
    each = torch.stack([task.model.get_parameter(name).detach() for task in tasks])
    return each.unsqueeze(1).repeat(1, n, *[1] * (each.dim() - 1))


def _rates(steps: int, peak: float, schedule: Schedule) -> Tensor:
    return torch.tensor(peak * schedule.values(steps), dtype=torch.float32)


def _gradient(task: Task) -> Callable[[Tensors, Batch], Tensors]:
    """Return the gradient of the loss, over seeds (with their batches) and configs."""

    def loss(parameters: Tensors, batch: Batch) -> Tensor:
        def model(*inputs: Tensor) -> Tensor:
            outputs: Tensor = functional_call(task.model, parameters, inputs)
            return outputs

        return task.loss(model, batch)  # type: ignore[arg-type]

    over_configs = vmap(grad(loss), in_dims=(0, None))
    over_seeds: Callable[[Tensors, Batch], Tensors] = vmap(over_configs, in_dims=(0, 0))
    return over_seeds


def _clipped(grads: Tensors, clip: float | None) -> Tensors:
    """Clip each copy's gradient by its norm, as ``clip_grad_norm_`` does."""
    if clip is None:
        return grads
    squares = [g.flatten(2).square().sum(2) for g in grads.values()]
    scale = (clip / (torch.stack(squares).sum(0).sqrt() + 1e-6)).clamp(max=1.0)
    return {name: g * _like(scale, g) for name, g in grads.items()}


def _like(per_copy: Tensor, stacked: Tensor) -> Tensor:
    """Shape a number per copy (.., configs) so that it multiplies (seeds, configs, *shape)."""
    return per_copy[(..., *[None] * (stacked.dim() - 2))]


Update = Callable[[Tensors, Tensor, int], None]  # gradients, rates (configs,), step from 1


def _sgd(task: Task, stack: Tensors) -> Update:
    """Return torch's SGD for a stack."""
    momentum = task.settings.get("momentum", 0.0)
    decay = task.settings.get("weight_decay", 0.0)
    velocity = {name: torch.zeros_like(p) for name, p in stack.items()} if momentum else {}

    def update(grads: Tensors, rates: Tensor, step: int) -> None:
        for name, p in stack.items():
            g = grads[name].add(p, alpha=decay) if decay else grads[name]
            if momentum:
                g = velocity[name].mul_(momentum).add_(g)
            p.sub_(_like(rates, p) * g)

    return update


def _adam(task: Task, stack: Tensors) -> Update:
    """Return torch's Adam and AdamW for a stack; weight decay is AdamW's."""
    beta_1, beta_2 = task.settings.get("betas", (0.9, 0.999))
    decay = task.settings.get("weight_decay", 0.01 if task.optimizer == "adamw" else 0.0)
    means = {name: torch.zeros_like(p) for name, p in stack.items()}
    squares = {name: torch.zeros_like(p) for name, p in stack.items()}

    def update(grads: Tensors, rates: Tensor, step: int) -> None:
        for name, p in stack.items():
            g, rate = grads[name], _like(rates, p)
            if decay:
                p.mul_(1 - rate * decay)
            mean = means[name].lerp_(g, 1 - beta_1) / (1 - beta_1**step)
            square = squares[name].mul_(beta_2).addcmul_(g, g, value=1 - beta_2)
            p.sub_(rate * mean / ((square / (1 - beta_2**step)).sqrt_() + _EPS))

    return update


_UPDATES: dict[str, Callable[[Task, Tensors], Update]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adam,
}


def _validated(tasks: Sequence[Task], stack: Tensors, n: int) -> list[list[float]]:
    """Return the validation losses as [task][config]; the tasks' models are overwritten."""
    return [
        [_loaded(task, {name: p[s, c] for name, p in stack.items()}) for c in range(n)]
        for s, task in enumerate(tasks)
    ]


def _loaded(task: Task, parameters: Tensors) -> float:
    """Return the validation loss of given parameters."""
    task.model.load_state_dict(parameters)
    return task.validate(task.model)


def _run(task: Task, values: Sequence[float], initial: float, seconds: float) -> Run:
    """Return what the plain loop would: it stops at the checkpoint where a run is lost."""
    curve = curve_of(values, initial)
    kept = sum(math.isfinite(value) for value in curve)
    seen = min(kept + 1, len(curve))
    return Run(
        final=curve[-1],
        curve=curve,
        steps=checkpoints(task.steps)[seen - 1],
        validation_passes=1 + seen,
        seconds=seconds,
        training_seconds=seconds,
        diverged=math.isinf(curve[-1]),
    )
