"""Everything that a training step changes, copied into memory and put back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attributes import Attributes
from autolr.runtime.compiled import as_written, cuda_graphs_are_on, holds_tensors, is_step_compiled
from autolr.runtime.counts import count_on
from autolr.runtime.naming import Names
from autolr.runtime.optimizer_groups import joined_entries, own_entries
from autolr.runtime.plain import size
from autolr.runtime.slots import ABSENT, Content, content_of, exchanged
from autolr.runtime.stateful import Stateful
from autolr.runtime.structure import (
    Slot,
    all_parameters,
    buffer_slots,
    keyed_groups,
    trainable_parameters,
)
from autolr.runtime.swap import Swap
from autolr.runtime.tensor_memory import TensorMemory


class Snapshot:
    """One state of a model and its optimizer beside the one that is in place.

    It holds the parameters that training changes, with their gradients and the optimizer's state
    of them, all buffers, every entry of the parameter groups that no scheduler writes, the plain
    attributes of the model, and the state of what else is given. All other parameters are shared
    with the state in place. Everything is kept by the parameter or the place that it belongs to:
    the model and the optimizer may get new ones, see `follow`.
    `exchange` swaps it with the state in place by reference: no tensor is copied, and two
    exchanges leave the very same tensors in place. Where compiled code is bound to the memory of
    the tensors in place, these stay where they are, and values are swapped; see `holds_tensors`.

    Args:
        model: The model to copy.
        optimizer: Its optimizer.
        extras: What else has a small state that training changes.
        parameters: The parameters that training changes; None: those that a step trains.

    Attributes:
        tensors: By parameter: its value; this and the rest is of the state that is *not* in place.
        buffers: By place: what a module holds there.
        gradients: By parameter, also of those that require a gradient and are in no group.
        states: The optimizer's state, by parameter; that of others is shared.
        groups: By the first parameter of a group: every entry that no scheduler writes.
        attributes: Plain attributes of the modules.
    """

    tensors: dict[Tensor, Tensor]
    buffers: dict[Slot, Content]
    gradients: dict[Tensor, Tensor | None]
    states: dict[Any, Any]
    groups: dict[Any, dict[str, Any]]

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        extras: Sequence[Stateful] = (),
        parameters: Iterable[Tensor] | None = None,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._displaced: set[Any] = set()  # keys of states that lay in place and have no other yet
        self._extras: list[tuple[Stateful, Any]] = [(extra, None) for extra in extras]
        self._take(TensorMemory(), parameters)

    @property
    def nbytes(self) -> int:
        """The bytes of its own tensors, a gradient for each that trains among them."""
        gradients = [tensor for p, tensor in self.tensors.items() if p.requires_grad]
        own = [list(self.tensors.values()), gradients]
        states = [state for key, state in self.states.items() if self._owns(key)]
        buffers = {id(held): held for held in self.buffers.values() if isinstance(held, Tensor)}
        return size([*own, states, list(buffers.values())])

    def renew(self, parameters: Iterable[Tensor] | None = None) -> Self:
        """Take the state in place once more; the memory of the old copy is used again.

        Large tensors are overwritten, which costs a quarter of copying into new memory. Old
        gradients are not: unlike a weight, nothing changes the gradient of a past step, so that
        a logger may hold it.

        Args:
            parameters: See `Snapshot`.
        """
        states = [state for key, state in self.states.items() if self._owns(key)]
        values = (value for state in states if isinstance(state, dict) for value in state.values())
        self._take(
            TensorMemory([*self.tensors.values(), *self.buffers.values(), *values]), parameters
        )
        return self

    def follow(self, joined: Iterable[Tensor], buffers: Iterable[Slot], *, stepped: bool) -> None:
        """Take on what the model and the optimizer have got since this state was copied.

        Args:
            joined: Parameters that were shared or did not exist: copied as they are in place.
            buffers: The places of new buffers.
            stepped: Whether the run has trained since: this state has no such buffers yet.
        """
        memory = TensorMemory()
        for parameter in joined:
            self.take(parameter, parameter)
        for slot in buffers:
            self.buffers[slot] = ABSENT if stepped else memory.copied(content_of(slot))
        self._follow_groups(memory)
        self.attributes.add_new(self._model, self._optimizer)

    def _follow_groups(self, memory: TensorMemory) -> None:
        keys, before = keyed_groups(self._optimizer), list(self.groups.values())
        same = len(keys) == len(before)  # then a new key only means that members were replaced
        for index, key in enumerate(keys):
            if key not in self.groups:
                joined = joined_entries(self._optimizer, index, before[0])
                self.groups[key] = before[index] if same else memory.copied(joined)

    def take(self, parameter: Tensor, value: Tensor) -> None:
        """Hold a value of a parameter that was shared so far.

        Args:
            parameter: The parameter.
            value: What to copy.
        """
        memory = TensorMemory()
        self.tensors[parameter] = memory.copied(value)
        self.gradients[parameter] = _clone(parameter.grad)
        if parameter in self._optimizer.state:
            self.states[parameter] = memory.copied(self._optimizer.state[parameter])

    def count_on(self) -> None:
        """Take on what the model in place has counted since this state was copied; see `counts`."""
        count_on(self.attributes.by_holder(), self.buffers)

    def exchange(self) -> None:
        """Swap this state with the one in place; a second call undoes it."""
        with Swap(in_place=self._is_bound or cuda_graphs_are_on()) as swap:
            for parameter, data in self.tensors.items():
                self.tensors[parameter] = swap.data(parameter, data)
            for parameter, gradient in self.gradients.items():
                self.gradients[parameter] = swap.gradient(parameter, gradient)
            self.buffers = exchanged(self.buffers, swap)
            self._exchange_optimizer(swap)
            self.attributes.exchange(swap)
        for index, (extra, state) in enumerate(self._extras):
            self._extras[index] = (extra, _copied_state(extra))
            extra.load_state_dict(state)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have this state in place for a block; what the block changes in it stays in it."""
        self.exchange()
        try:
            with self._first_step():
                yield
        finally:
            self.exchange()

    def state_dict(self, *, gradients: bool) -> dict[str, Any]:
        """Return this state by reference, without gradients if they are not wanted."""
        names = Names(self._model, self._optimizer)
        own = {key: state for key, state in self.states.items() if self._owns(key)}
        return {
            "tensors": names.by_name(self.tensors),
            "buffers": names.by_slot_name(self.buffers),
            "states": names.by_name(own),
            "groups": [self.groups.get(key) for key in keyed_groups(self._optimizer)],
            "gradients": names.by_name(self.gradients) if gradients else {},
            "attributes": self.attributes.state_dict(),
            "extras": [state for _, state in self._extras],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on, by reference, what `state_dict` returned of the same model and optimizer.

        What these have got since then stays as it is in place.
        """
        names = Names(self._model, self._optimizer)
        self.tensors |= names.by_tensor(state["tensors"])
        self.buffers |= names.by_slot(state["buffers"])
        self.gradients = dict.fromkeys(self.gradients) | names.by_tensor(state["gradients"])
        shared = {key: held for key, held in self.states.items() if not self._owns(key)}
        self.states = shared | names.by_tensor(state["states"])
        groups = zip(keyed_groups(self._optimizer), state["groups"], strict=False)
        self.groups |= {key: dict(held) for key, held in groups}
        self.attributes.load_state_dict(state["attributes"])
        extras = zip(self._extras, state["extras"], strict=True)
        self._extras = [(extra, value) for (extra, _), value in extras]

    def _take(self, memory: TensorMemory, parameters: Iterable[Tensor] | None) -> None:
        model, optimizer = self._model, self._optimizer
        if parameters is None:
            parameters = trainable_parameters(model, optimizer)
        self.tensors = {parameter: memory.copied(parameter) for parameter in parameters}
        contents = {slot: content_of(slot) for slot in buffer_slots(model)}
        copies = {id(held): memory.copied(held) for held in contents.values()}  # tied ones once
        self.buffers = {slot: copies[id(held)] for slot, held in contents.items()}
        self.states = {
            key: memory.copied(state) if self._owns(key) else state
            for key, state in optimizer.state.items()
        }
        groups = keyed_groups(optimizer)
        self.groups = {key: memory.copied(own_entries(group)) for key, group in groups.items()}
        self.gradients = {
            parameter: _clone(parameter.grad)
            for parameter in all_parameters(model, optimizer)
            if parameter.requires_grad or parameter.grad is not None
        }
        self.attributes = Attributes(model, optimizer)
        self._is_bound = holds_tensors(model, optimizer)
        self._extras = [(extra, _copied_state(extra)) for extra, _ in self._extras]

    def _first_step(self) -> AbstractContextManager[object]:
        """Have the first step of this state made as it is written, where steps are compiled.

        It would be compiled once more for the state of the optimizer that it makes.
        """
        first = len(self._displaced) > 0 and is_step_compiled(self._optimizer)
        return as_written() if first else nullcontext()

    def _owns(self, key: object) -> bool:
        """Whether the optimizer's state under a key belongs to this state alone."""
        return not isinstance(key, Tensor) or key in self.tensors

    def _exchange_optimizer(self, swap: Swap) -> None:
        state = self._optimizer.state
        present, other = dict(state), dict(self.states)
        back = {key: other.pop(key) for key in self._displaced if key in other}
        first = {key: present.pop(key) for key in back if key in present}
        self._displaced = present.keys() - other.keys() if swap.in_place else set()
        placed, kept = swap.entries(present, other)
        self.states = kept | first
        state.clear()
        state.update(placed | back)
        for key, group in keyed_groups(self._optimizer).items():
            if key in self.groups:
                entries = own_entries(group)
                for name in entries:
                    del group[name]
                placed, self.groups[key] = swap.entries(entries, self.groups[key])
                group.update(placed)


def _copied_state(extra: Stateful) -> Any:
    return TensorMemory().copied(extra.state_dict())


def _clone(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()
