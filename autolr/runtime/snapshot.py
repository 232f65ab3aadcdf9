"""Everything that a training step changes, copied into memory and put back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attributes import Attributes

# Group entries that schedulers or the search itself write; they stay with the run.
OF_THE_RUN = frozenset(
    {
        *("params", "lr", "initial_lr", "max_lr", "min_lr", "weight_decay"),
        *("momentum", "betas", "base_momentum", "max_momentum"),
    }
)


class Stateful(Protocol):
    """What has a state of its own in training, such as a `torch.amp.GradScaler`."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Take on a state."""


class Snapshot:
    """One state of a model and its optimizer beside the one that is in place.

    It holds weights, buffers, gradients, the optimizer's state by the index of its parameter,
    every entry of the parameter groups that no scheduler writes, the plain attributes of the
    model, and the state of what else is given.
    `exchange` swaps it with the state in place by reference: no tensor is copied, and two
    exchanges leave the very same tensors in place.

    Args:
        model: The model to copy.
        optimizer: Its optimizer.
        extras: What else has a small state that training changes.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, extras: Sequence[Stateful] = ()
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._extras = [(extra, _copy(extra.state_dict())) for extra in extras]
        self._tensors = [tensor.detach().clone() for tensor in _tensors(model)]
        self._gradients = [_clone(parameter.grad) for parameter in model.parameters()]
        self._states = [_copy(optimizer.state.get(p, {})) for p in _parameters(optimizer)]
        self._groups = [_copy(_own_entries(group)) for group in optimizer.param_groups]
        self._attributes = Attributes(model)

    def exchange(self) -> None:
        """Swap this state with the one in place; a second call undoes it."""
        with torch.no_grad():
            for index, tensor in enumerate(_tensors(self._model)):
                self._tensors[index], tensor.data = tensor.data, self._tensors[index]
        for index, parameter in enumerate(self._model.parameters()):
            self._gradients[index], parameter.grad = parameter.grad, self._gradients[index]
        self._exchange_optimizer()
        self._attributes.exchange()
        for index, (extra, state) in enumerate(self._extras):
            self._extras[index] = (extra, _copy(extra.state_dict()))
            extra.load_state_dict(state)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have this state in place for a block; what the block changes in it stays in it."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def renew_attributes(self) -> None:
        """Take the plain attributes of the model as they are in place now."""
        self._attributes = Attributes(self._model)

    def _exchange_optimizer(self) -> None:
        state = self._optimizer.state
        for index, parameter in enumerate(_parameters(self._optimizer)):
            present = state.pop(parameter, {})
            if self._states[index]:
                state[parameter] = self._states[index]
            self._states[index] = present
        for index, group in enumerate(self._optimizer.param_groups):
            present = _own_entries(group)
            group.update(self._groups[index])
            self._groups[index] = present


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _own_entries(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name not in OF_THE_RUN}


def _clone(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


def _copy(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Copy optimizer entries: tensors are cloned, wherever they are nested."""
    return {name: _copied(value) for name, value in entries.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
