"""State that a checkpoint leaves out: attributes, what they hold, non-persistent buffers.

All of it is stored, also what no step has changed: hooks that set it may run in another order in a
resumed fit. Large tensors are stored only where they differ from those of a run that begins.
"""

from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attribute_access import has_method
from autolr.runtime.attribute_values import copied_value
from autolr.runtime.equality import are_equal
from autolr.runtime.held_objects import HeldObjects
from autolr.runtime.layouts import bytes_of
from autolr.runtime.outlines import digest, is_as, outline
from autolr.runtime.plain import device_of, packed, unpacked
from autolr.runtime.stored_values import (
    NotStorableError,
    check_storable,
    stored,
    unstored,
)
from autolr.runtime.weight_views import WeightViews

_STATELESS = ("lock", "RLock")
_SMALL = 2**20  # bytes; larger values are stored only where they have changed: a choice
_BYTES_OF_AN_ITEM = 8  # the reference to it in a container
_Place = tuple[str, str]  # the names of a holder and of its attribute


class OutsideCheckpoint:
    """What a run keeps outside of a checkpoint, as far as it differs from a run that begins.

    Args:
        model: The model, about to make its first step in this process.
        optimizer: Its optimizer.
        others: Other objects with state, by name, such as callbacks.
        ignored: Names of attributes that are not the user's.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None,
        others: Mapping[str, object],
        ignored: Collection[str] = (),
    ) -> None:
        self._model, self._optimizer, self._others = model, optimizer, others
        self._ignored = ignored
        self._restored: set[tuple[str, str]] = set()
        copies: dict[int, Any] = {}
        self._begun = {
            place: copied_value(value, copies)
            for place, value in [*self._fields(), *self._tensors()]
            if _nbytes(value) > _SMALL
        }
        self._outlines = {place: outline(value) for place, value, _ in self._unstorable()}

    def state_dict(self) -> dict[str, Any]:
        """Return plain values for `load_state_dict`; what has no plain form is left out."""
        fields: dict[str, dict[str, Any]] = {}
        place_of = WeightViews(self._model).place_of
        for (name, field), value in self._fields():
            if self._counts((name, field), value):
                with suppress(NotStorableError):
                    fields.setdefault(name, {})[field] = stored(value, place_of)
        tensors = {place[1]: t for place, t in self._tensors() if self._counts(place, t)}
        packed_state: dict[str, Any] = packed({"fields": fields, "tensors": tensors})
        return packed_state

    def lost(self) -> list[str]:
        """Return by name, with its type, what training has changed and `state_dict` leaves out."""
        return [
            f"{name}.{field} ({kind})" if name else f"{field} ({kind})"
            for (name, field), value, kind in self._unstorable()
            if not is_as(self._outlines.get((name, field)), value)
        ]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on the state of another process; what is not there any more is left out."""
        state = unpacked(dict(state), device_of(self._model))
        for (_, name), tensor in self._tensors():
            if name in state["tensors"]:
                self._restored.add(("", name))
                tensor.data = state["tensors"][name].to(tensor.device)
        holders, views = self._held().holders, WeightViews(self._model)
        for name, fields in state["fields"].items():
            for field, value in fields.items() if name in holders else ():
                self._restored.add((name, field))
                present, decoded = holders[name].fields(), unstored(value, views.at)
                if not (field in present and views.put(present[field], decoded)):
                    holders[name].replace({**present, field: decoded})

    def _counts(self, place: _Place, value: Any) -> bool:
        """Whether a value has to be stored."""
        begun = self._begun.get(place, self)
        return place in self._restored or _nbytes(value) <= _SMALL or not are_equal(begun, value)

    def _held(self) -> HeldObjects:
        return HeldObjects(self._model, self._optimizer, self._others, whole=True)

    def _unstorable(self) -> Iterator[tuple[_Place, Any, str]]:
        """Yield what has no plain form, with the type that has none."""
        for place, value in self._fields():
            try:
                check_storable(value)
            except NotStorableError as error:
                yield place, value, str(error)

    def _fields(self) -> Iterator[tuple[_Place, Any]]:
        held = self._held()
        for name, holder in held.holders.items():
            for field, value in holder.fields().items():
                if id(value) not in held.known and field not in self._ignored:
                    yield (name, field), value

    def _tensors(self) -> list[tuple[_Place, Tensor]]:
        """Return non-persistent buffers, and weights that are hidden from the model."""
        buffers = {
            f"{path}.{name}" if path else name: module._buffers[name]
            for path, module in self._model.named_modules()
            for name in module._non_persistent_buffers_set
        }
        named = [*buffers.items(), *self._held().leaves.items()]
        return [(("", name), tensor) for name, tensor in named if tensor is not None]


def _nbytes(value: Any) -> int:
    """Return about how many bytes a value takes in a checkpoint."""
    if isinstance(value, Tensor):
        return bytes_of(value)
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, str | bytes | bytearray | array):
        return len(value)
    items = value.values() if isinstance(value, dict) else value
    plain = isinstance(value, dict | list | tuple | deque | set)
    return sum(_BYTES_OF_AN_ITEM + _nbytes(item) for item in items) if plain else 0


def unkept(model: nn.Module, others: Mapping[str, object]) -> list[str]:
    """Return the names of what no checkpoint can hold, with their types.

    Args:
        model: The model.
        others: Other objects with state, by name.
    """
    held = HeldObjects(model, None, others, whole=True)
    unseen = {
        name: type(value).__name__
        for name, value in held.opaque.items()
        if has_method(value, "__next__") or digest(value) is None  # no change of it would show
    }
    kinds = held.uncopied | unseen
    return [f"{name} ({kind})" for name, kind in kinds.items() if kind not in _STATELESS]
