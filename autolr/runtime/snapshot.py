"""Everything that a training step changes, copied into memory and put back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attributes import Attributes
from autolr.runtime.model_tensors import tensors_of
from autolr.runtime.optimizer_groups import own_entries, parameters_of
from autolr.runtime.tensor_memory import TensorMemory


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

    Attributes:
        tensors: Parameters, then buffers, as `tensors_of` has them; this and the rest is of the
            state that is *not* in place.
        gradients: One for each parameter, or None.
        states: The optimizer's state of each of its parameters, in its own order.
        groups: Every entry of its groups that no scheduler writes.
        attributes: Plain attributes of the modules.
    """

    tensors: list[Tensor]
    gradients: list[Tensor | None]

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, extras: Sequence[Stateful] = ()
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._extras: list[tuple[Stateful, Any]] = [(extra, None) for extra in extras]
        self._take(TensorMemory())

    def renew(self) -> Self:
        """Take the state in place once more; the memory of the old copy is used again.

        Large tensors are overwritten, which costs a quarter of copying into new memory. Old
        gradients are not: unlike a weight, nothing changes the gradient of a past step, so that
        a logger may hold it.
        """
        held = [*self.tensors, *(value for state in self.states for value in state.values())]
        self._take(TensorMemory(held))
        return self

    def exchange(self) -> None:
        """Swap this state with the one in place; a second call undoes it."""
        parameters, buffers = tensors_of(self._model)
        tensors = [*parameters, *buffers]
        present = [tensor.data for tensor in tensors]
        for tensor, data in zip(tensors, self.tensors, strict=True):
            tensor.data = data
        self.tensors = present
        gradients = [parameter.grad for parameter in parameters]
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient
        self.gradients = gradients
        self._exchange_optimizer()
        self.attributes.exchange()
        for index, (extra, state) in enumerate(self._extras):
            self._extras[index] = (extra, _copied_state(extra))
            extra.load_state_dict(state)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have this state in place for a block; what the block changes in it stays in it."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def state_dict(self, *, gradients: bool) -> dict[str, Any]:
        """Return this state by reference, without gradients if they are not wanted."""
        return {
            "tensors": self.tensors,
            "states": self.states,
            "groups": self.groups,
            "gradients": self.gradients if gradients else [None] * len(self.gradients),
            "attributes": self.attributes.state_dict(),
            "extras": [state for _, state in self._extras],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on, by reference, what `state_dict` returned of the same model and optimizer."""
        self.tensors, self.gradients = list(state["tensors"]), list(state["gradients"])
        self.states, self.groups = list(state["states"]), list(state["groups"])
        self.attributes.load_state_dict(state["attributes"])
        extras = zip(self._extras, state["extras"], strict=True)
        self._extras = [(extra, value) for (extra, _), value in extras]

    def _take(self, memory: "TensorMemory") -> None:
        parameters, buffers = tensors_of(self._model)
        optimizer = self._optimizer
        self.tensors = [memory.copied(tensor) for tensor in [*parameters, *buffers]]
        self.states = [memory.copied(optimizer.state.get(p, {})) for p in parameters_of(optimizer)]
        self.groups = [memory.copied(own_entries(group)) for group in optimizer.param_groups]
        self.gradients = [_clone(parameter.grad) for parameter in parameters]
        self.attributes = Attributes(self._model, self._optimizer)
        self._extras = [(extra, _copied_state(extra)) for extra, _ in self._extras]

    def _exchange_optimizer(self) -> None:
        state = self._optimizer.state
        for index, parameter in enumerate(parameters_of(self._optimizer)):
            present = state.pop(parameter, {})
            if self.states[index]:
                state[parameter] = self.states[index]
            self.states[index] = present
        for index, group in enumerate(self._optimizer.param_groups):
            present = own_entries(group)
            for name in present:
                del group[name]
            group.update(self.groups[index])
            self.groups[index] = present


def _copied_state(extra: Stateful) -> Any:
    return TensorMemory().copied(extra.state_dict())


def _clone(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()
