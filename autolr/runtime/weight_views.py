"""Tensors that lie in the memory of weights and buffers: stored is where, not what."""

from collections import deque
from itertools import chain
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autolr.runtime.in_place import put_into
from autolr.runtime.layouts import is_block


class WeightViews:
    """Knows where the weights and buffers of a model lie, those in place now.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        named = chain(model.named_parameters(), model.named_buffers())
        made = ((name, tensor.detach()) for name, tensor in named if not is_lazy(tensor))
        self._weights = {name: tensor for name, tensor in made if _has_memory(tensor)}
        self._names = {_memory_of(t): name for name, t in self._weights.items()}

    def place_of(self, tensor: Tensor) -> list[Any] | None:
        """Return where a tensor lies in a weight, as plain values; None if it lies elsewhere."""
        if not _has_memory(tensor) or (name := self._names.get(_memory_of(tensor))) is None:
            return None
        weight = self._weights[name]
        offset = tensor.storage_offset() - weight.storage_offset()
        same = tensor.dtype == weight.dtype
        return [name, list(tensor.shape), list(tensor.stride()), offset] if same else None

    def at(self, place: list[Any]) -> Tensor | None:
        """Return the tensor that lies in a place; None if the model has no such weight.

        Args:
            place: What `place_of` returned.
        """
        name, shape, strides, offset = place
        if (weight := self._weights.get(name)) is None:
            return None
        return weight.as_strided(shape, strides, weight.storage_offset() + offset)

    def put(self, present: Any, value: Any) -> bool:
        """Write a value into the object that stands for it; return whether that is possible.

        A tensor that has a memory of its own is not written into a weight.

        Args:
            present: The object.
            value: Another one, of any kind.
        """
        if isinstance(present, Tensor) and isinstance(value, Tensor):
            places = self.place_of(present), self.place_of(value)
            return places[0] == places[1] and (places[0] is not None or put_into(present, value))
        if type(present) is type(value) and _keys(present) == _keys(value) is not None:
            for key in _keys(value) or ():
                if not self.put(present[key], value[key]):
                    present[key] = value[key]
            return True
        return put_into(present, value)


def _keys(value: Any) -> list[Any] | None:
    """Return under what a container has its items; None for what is none, or cannot be changed."""
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list | deque) else None


def _has_memory(tensor: Tensor) -> bool:
    return type(tensor) is Tensor and is_block(tensor) and tensor.numel() > 0


def _memory_of(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
