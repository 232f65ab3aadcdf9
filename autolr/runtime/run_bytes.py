"""The bytes of weights, gradients and optimizer state of a run that has made no step yet."""

import copy
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from autolr.memory import RunBytes
from autolr.runtime.average import wide
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.layouts import bytes_of
from autolr.runtime.model_tensors import tensors_of
from autolr.runtime.plain import size
from autolr.runtime.structure import parameters_of, trainable_parameters

_CHEAP = 2**26  # bytes of a parameter up to which a real step on a copy of it is made
_OF_A_DEVICE = ("fused", "capturable", "foreach")  # ways of stepping, which keep the same state


def run_bytes(model: nn.Module, optimizers: Sequence[Optimizer]) -> RunBytes | None:
    """Return the bytes of a run; None where weights have no size before the first step.

    Args:
        model: The model.
        optimizers: Its optimizers, which are left as they are.
    """
    parameters, buffers = tensors_of(model)
    if any(map(is_lazy, (*parameters, *buffers))):
        return None
    trained = trainable_parameters(model, JointOptimizer.of(optimizers)) if optimizers else []
    gradients = [parameter for parameter in parameters if parameter.requires_grad]
    states = [state_bytes(optimizer) for optimizer in optimizers]
    known = [state for state in states if state is not None]
    return RunBytes(
        weights=size(parameters) + size(buffers),
        changed=size(trained) + size(buffers),
        gradients=size(gradients),
        optimizer=sum(known) if len(known) == len(states) else None,
        average=sum(p.numel() * wide(p.dtype).itemsize for p in trained),
    )


def state_bytes(optimizer: Optimizer) -> int | None:
    """Return the bytes of an optimizer's state after its first step, which is not made.

    A copy of it steps without values: on the meta device. Where it needs values, one copy for each
    shape of a parameter steps on the CPU. None where that does not work either, as with sparse
    gradients or a large parameter, and for a state that grows from step to step (LBFGS).
    """
    if isinstance(optimizer, torch.optim.LBFGS):
        return None
    for count in (_without_values, _by_shape):
        with suppress(Exception):  # the optimizer may be anybody's
            return count(optimizer)
    return None


def _without_values(optimizer: Optimizer) -> int:
    return _held(_stepped(optimizer, parameters_of(optimizer), "meta"))


def _by_shape(optimizer: Optimizer) -> int | None:
    """Return the bytes of states, each of which depends on the parameter's shape alone."""
    known: dict[Any, int] = {}
    total = 0
    for index, group in enumerate(optimizer.param_groups):
        for parameter in filter(_trains, group["params"]):
            key = index, parameter.shape, parameter.dtype
            if key not in known:
                if bytes_of(parameter) > _CHEAP:
                    return None
                known[key] = _held(_stepped(optimizer, [parameter], "cpu"))
            total += known[key]
    return total


@torch.no_grad()
def _stepped(optimizer: Optimizer, stepping: Iterable[Tensor], device: str) -> Optimizer:
    """Return a copy of an optimizer that has made a step.

    Args:
        optimizer: It is left as it is.
        stepping: Those of its parameters that make a step; in the copy the others are empty.
        device: Where the parameters of the copy are, which are 1 like their gradients.
    """
    twins: dict[int, Any] = {id(p): nn.Parameter(torch.empty(0)) for p in parameters_of(optimizer)}
    for parameter in filter(_trains, stepping):
        twin = nn.Parameter(torch.ones_like(parameter, device=device))
        twin.grad = torch.ones_like(twin)
        twins[id(parameter)] = twin
    fields = {
        name: value
        for name, value in vars(optimizer).items()
        if name != "step" and not name.startswith("_optimizer_")  # a scheduler's, and hooks
    }
    made: Optimizer = type(optimizer).__new__(type(optimizer))
    Optimizer.__setstate__(made, copy.deepcopy(fields, {**twins}))
    for twin in twins.values():
        if twin.grad is None:
            made.state.pop(twin, None)
    for group in made.param_groups:
        group |= {name: False for name in _OF_A_DEVICE if group.get(name)}
    type(optimizer).step(made, lambda: 1.0)
    return made


def _held(optimizer: Optimizer) -> int:
    """Return the bytes of the state of an optimizer, where a rule has its own in the groups."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    return size([groups, list(optimizer.state.values())])


def _trains(parameter: Tensor) -> bool:
    return parameter.requires_grad
