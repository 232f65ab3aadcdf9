"""Tensors that change places: by reference, or by value where others hold their memory."""

from collections import defaultdict
from typing import Any, Final

from torch import Tensor

from autolr.runtime.exchange import is_sharded, local
from autolr.runtime.layouts import alike, is_block


class Swap:
    """Swaps data of tensors, in a ``with`` block; in place it swaps at the end of the block.

    By reference nothing is copied. In place every tensor keeps its memory, and values change
    places through a copy of what lies in one storage: tensors may overlap there. Of a sharded
    tensor the local part is always swapped in place.

    Args:
        in_place: Whether the memory of tensors has to stay theirs.
    """

    def __init__(self, *, in_place: bool) -> None:
        self.in_place: Final = in_place
        self._pairs: defaultdict[int, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def __enter__(self) -> "Swap":
        return self

    def __exit__(self, *_: object) -> None:
        for pairs in self._pairs.values():
            kept = [present.clone() for present, _ in pairs]
            for present, other in pairs:
                present.copy_(other)
            for pair, value in zip(pairs, kept, strict=True):
                pair[1].copy_(value)

    def data(self, tensor: Tensor, other: Tensor) -> Tensor:
        """Give a tensor other data; return the tensor of those that it has had.

        Args:
            tensor: A tensor in place.
            other: The data; after the block, in place, what this returns.
        """
        present, value = local(tensor.data), local(other)
        if (self.in_place or is_sharded(tensor)) and _fit(present, value):
            self._pairs[present.untyped_storage().data_ptr()].append((present, value))
            return other
        tensor.data = other
        return present

    def gradient(self, parameter: Tensor, other: Tensor | None) -> Tensor | None:
        """Give a parameter another gradient; return the one that it has had.

        In place that is a copy: it may lie where the next replay of a CUDA graph writes.

        Args:
            parameter: A parameter.
            other: The other gradient.
        """
        present = parameter.grad
        parameter.grad = other
        return present.detach().clone() if self.in_place and present is not None else present

    def entries(self, present: Any, other: Any) -> tuple[Any, Any]:
        """Swap two entries of an optimizer: its state of a parameter, or of a group.

        Args:
            present: The one in place.
            other: The other one.

        Returns:
            What is to be in place, and what is to be kept.
        """
        if not self.in_place or present is other:
            return other, present
        if isinstance(present, Tensor) and isinstance(other, Tensor) and _fit(present.data, other):
            return present, self.data(present, other)
        if not (type(present) is type(other) is dict):
            return other, present
        both = {
            name: self.entries(present[name], other[name]) if name in present else (value, None)
            for name, value in other.items()
        }
        kept = {name: both[name][1] if name in both else value for name, value in present.items()}
        return {name: values[0] for name, values in both.items()}, kept


BY_REFERENCE: Final = Swap(in_place=False)
"""Copies nothing."""


def _fit(present: Tensor, other: Tensor) -> bool:
    """Return whether values of the one can be written into the other, and back."""
    if not (alike(present, other) and is_block(present) and present.device == other.device):
        return False
    if type(present) is not Tensor:
        return False
    if present.is_inference() or other.is_inference():
        return False
    return not (_overlaps_itself(present) or _overlaps_itself(other))


def _overlaps_itself(tensor: Tensor) -> bool:
    return any(s == 0 and n > 1 for n, s in zip(tensor.shape, tensor.stride(), strict=True))
