"""Plain attributes of modules that training changes: counters, lists, states of metrics.

Weights and buffers are torch's; what a module keeps beside them (a list of outputs, the
sums of a torchmetrics metric, a hidden state) is found here, so that a probe cannot leave
its traces in the run.
"""

import copy
from collections import deque
from typing import Any

import torch
from torch import Tensor, nn

_TORCHS_OWN = frozenset(nn.Module().__dict__)
_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, dict, set, deque)
_KINDS = (*_SCALARS, *_CONTAINERS, Tensor, torch.Generator)


class Attributes:
    """A copy of the plain attributes of a model, to be exchanged with those in place.

    Plain are numbers, strings, tensors that are no buffers, generators, and lists, dicts,
    sets and deques of any of them, nested; other objects are shared. Modules of torch itself
    have none. Parameters, buffers and sub-modules are not looked at.

    Args:
        model: The model whose attributes are copied.
    """

    def __init__(self, model: nn.Module) -> None:
        self._saved = [
            (module, {name: _copy(value) for name, value in _plain(module).items()})
            for module in model.modules()
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


def _plain(module: nn.Module) -> dict[str, Any]:
    return {
        name: value
        for name, value in module.__dict__.items()
        if name not in _TORCHS_OWN and isinstance(value, _KINDS)
    }


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, dict):
        copied = copy.copy(value)
        copied.update({key: _copy(item) for key, item in value.items()})
        return copied
    if isinstance(value, list | deque):
        copied = copy.copy(value)
        for index, item in enumerate(value):
            copied[index] = _copy(item)
        return copied
    return copy.copy(value) if isinstance(value, set) else value
