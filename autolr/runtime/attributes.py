"""Plain attributes of modules that training changes: counters, lists, states of metrics.

Weights and buffers are torch's; what a module keeps beside them (a list of outputs, the
sums of a torchmetrics metric, a hidden state) is copied here, so that a probe leaves no
trace in the run.
"""

import copy
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autolr.runtime.plain import is_plain

_TORCHS_OWN = frozenset(nn.Module().__dict__)
_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, dict, set, deque, tuple, frozenset)
_NUMPYS = (np.ndarray, np.generic, np.random.Generator, np.random.RandomState, random.Random)
_KINDS = (*_SCALARS, *_CONTAINERS, *_NUMPYS, Tensor, torch.Generator)


class Attributes:
    """A copy of the plain attributes of a model, to be exchanged with those in place.

    Plain are numbers, strings, arrays, tensors, generators, and lists, tuples, dicts, sets and
    deques of any of them, nested; other objects are shared. Modules of torch itself have none.
    Parameters, buffers and sub-modules are not copied, whatever refers to them.

    Args:
        model: The model whose attributes are copied.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters, buffers = tensors_of(model)
        copies: dict[int, Any] = {id(tensor): tensor for tensor in [*parameters, *buffers]}
        self._saved = [
            (module, {name: _copy(value, copies) for name, value in _plain(module).items()})
            for module in _modules(model)
            if not type(module).__module__.startswith("torch.")
        ]

    def exchange(self) -> None:
        """Swap the saved attributes with those of the model, by reference.

        Called twice, it leaves the model with the very objects that it had.
        """
        exchanged = []
        for module, saved in self._saved:
            present = _plain(module)
            for name in present.keys() - saved.keys():
                del module.__dict__[name]
            module.__dict__.update(saved)
            exchanged.append((module, present))
        self._saved = exchanged

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what differs from the attributes in place and is plain; see `is_plain`."""
        return [
            {name: value for name, value in saved.items() if _differs(value, name, module)}
            for module, saved in self._saved
        ]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Take on what `state_dict` returned of the same model; the rest stays as it is."""
        for (_, saved), values in zip(self._saved, state, strict=True):
            saved.update(values)

    def equal(self, other: "Attributes") -> bool:
        """Return whether another copy of the same model has equal values."""
        pairs = zip(self._saved, other._saved, strict=True)
        return all(_equal(mine, theirs) for (_, mine), (_, theirs) in pairs)


def tensors_of(model: nn.Module) -> tuple[list[nn.Parameter], list[Tensor]]:
    """Return the parameters and the buffers of a model, each tensor once.

    The order is the same at each call. It takes a quarter of the time of
    ``model.parameters()``, which has to make names, and is due twice in every step of a rival.
    """
    parameters: dict[int, nn.Parameter] = {}
    buffers: dict[int, Tensor] = {}
    for module in _modules(model):
        if module._parameters:
            parameters |= {id(p): p for p in module._parameters.values() if p is not None}
        if module._buffers:
            buffers |= {id(b): b for b in module._buffers.values() if b is not None}
    return list(parameters.values()), list(buffers.values())


def _modules(model: nn.Module) -> Iterable[nn.Module]:
    """Return a model and all modules in it, each once."""
    seen = {id(model): model}
    waiting = [model]
    while waiting:
        if children := waiting.pop()._modules:
            new = {id(m): m for m in children.values() if m is not None and id(m) not in seen}
            seen |= new
            waiting += new.values()
    return seen.values()


def _plain(module: nn.Module) -> dict[str, Any]:
    return {
        name: value
        for name, value in module.__dict__.items()
        if name not in _TORCHS_OWN and _IS_PLAIN[type(value)]
    }


class _Kinds(dict[type, bool]):
    """Whether values of a type are plain: the answer takes time, and is due in every step."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = issubclass(kind, _KINDS)
        return self[kind]


_IS_PLAIN = _Kinds()


def _copy(value: Any, copies: dict[int, Any]) -> Any:
    """Copy a value once: what two names refer to, the copies refer to as well."""
    if id(value) not in copies:
        if isinstance(value, list | deque | dict):
            _copy_container(value, copies)
        else:
            copies[id(value)] = _copy_item(value, copies)
    return copies[id(value)]


def _copy_container(value: Any, copies: dict[int, Any]) -> None:
    copied = copies[id(value)] = copy.copy(value)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        copied[key] = _copy(item, copies)


def _copy_item(value: Any, copies: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, _NUMPYS):
        return copy.deepcopy(value)
    if isinstance(value, tuple):
        items = [_copy(item, copies) for item in value]
        if all(item is old for item, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return copy.copy(value) if isinstance(value, set) else value


def _differs(value: Any, name: str, module: nn.Module) -> bool:
    present = _plain(module)
    same = name in present and _equal(value, present[name])
    return not same and is_plain(value)


def _equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple | deque):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, Tensor):
        return _is_equal_tensor(left, right)
    if isinstance(left, np.ndarray):
        return left.shape == right.shape and bool(np.all(left == right))
    if isinstance(left, tuple(_STATES)):
        read = next(read for kind, read in _STATES.items() if isinstance(left, kind))
        return _equal(read(left), read(right))
    return bool(left == right)


def _is_equal_tensor(left: Tensor, right: Tensor) -> bool:
    try:
        return torch.equal(left, right)
    except RuntimeError:  # on two devices, or of a pass of torch.func that is over
        return False


_STATES: dict[type, Callable[[Any], Any]] = {
    torch.Generator: lambda generator: generator.get_state(),
    np.random.Generator: lambda generator: generator.bit_generator.state,
    np.random.RandomState: lambda generator: generator.get_state(),
    random.Random: lambda generator: generator.getstate(),
}
