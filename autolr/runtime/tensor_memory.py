"""Copies of tensors, into memory that is used again."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from typing import Any

from torch import Tensor

from autolr.runtime.exchange import local, sharded_like
from autolr.runtime.layouts import is_block

_LARGE = 2**16  # bytes; smaller tensors lie in memory that the process has already


def copied(value: Any) -> Any:
    """Copy an optimizer's entry: tensors are cloned, wherever they are nested."""
    return TensorMemory().copied(value)


class TensorMemory:
    """Copies tensors, where it can into tensors that are not needed any more.

    Args:
        unneeded: Values of an old copy. A tensor among them is overwritten if it is large and
            nothing else lies in its storage.
    """

    def __init__(self, unneeded: Iterable[Any] = ()) -> None:
        tensors = [local(item) for item in unneeded if isinstance(item, Tensor)]
        large = [tensor for tensor in tensors if _is_large(tensor)]
        users = Counter(tensor.untyped_storage().data_ptr() for tensor in large)
        self._free: defaultdict[Hashable, list[Tensor]] = defaultdict(list)
        for tensor in large:
            storage = tensor.untyped_storage()
            if users[storage.data_ptr()] == 1 and storage.nbytes() == tensor.nbytes:
                self._free[_layout(tensor)].append(tensor)

    def copied(self, value: Any) -> Any:
        """Copy an optimizer's entry or a tensor: tensors wherever they are nested, and lists."""
        if isinstance(value, Tensor):
            tensor = value.detach()
            return sharded_like(self._copied_tensor(local(tensor)), tensor)
        if isinstance(value, dict):
            return {key: self.copied(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.copied(item) for item in value]
        return value

    def _copied_tensor(self, tensor: Tensor) -> Tensor:
        if self._free and _is_large(tensor) and (fitting := self._free[_layout(tensor)]):
            return fitting.pop().copy_(tensor)
        return tensor.clone()


def _is_large(tensor: Tensor) -> bool:
    """Whether the allocator is likely to ask the system for new pages."""
    return type(tensor) is Tensor and is_block(tensor) and tensor.nbytes >= _LARGE


def _layout(tensor: Tensor) -> Hashable:
    return tensor.layout, tensor.shape, tensor.stride(), tensor.dtype, tensor.device
