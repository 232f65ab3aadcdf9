"""Plain values of attributes: which they are, copies, and equality."""

import copy
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SCALARS = (bool, int, float, complex, str, bytes, type(None))


_CONTAINERS = (list, dict, set, deque, tuple, frozenset)


_NUMPYS = (np.ndarray, np.generic, np.random.Generator, np.random.RandomState, random.Random)


_KINDS = (*_SCALARS, *_CONTAINERS, *_NUMPYS, Tensor, torch.Generator)


class _Kinds(dict[type, bool]):
    """Whether values of a type are plain: the answer takes time, and is due in every step."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = issubclass(kind, _KINDS)
        return self[kind]


IS_PLAIN = _Kinds()


def copied_value(value: Any, copies: dict[int, Any]) -> Any:
    """Copy a value once: what two names refer to, the copies refer to as well.

    Args:
        value: A value of any kind; what is not plain is shared.
        copies: The copies so far, by the id of the original; it is added to.
    """
    if id(value) not in copies:
        if isinstance(value, list | deque | dict):
            _copy_container(value, copies)
        else:
            copies[id(value)] = _copy_item(value, copies)
    return copies[id(value)]


def _copy_container(value: Any, copies: dict[int, Any]) -> None:
    copied = copies[id(value)] = copy.copy(value)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        copied[key] = copied_value(item, copies)


def _copy_item(value: Any, copies: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, _NUMPYS):
        return copy.deepcopy(value)
    if isinstance(value, tuple):
        items = [copied_value(item, copies) for item in value]
        if all(item is old for item, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return copy.copy(value) if isinstance(value, set) else value


def are_equal(left: Any, right: Any) -> bool:
    """Return whether two plain values are equal in type and value, bit for bit.

    Args:
        left: A value of any kind that is plain.
        right: Another one.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(are_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple | deque):
        return len(left) == len(right) and all(map(are_equal, left, right))
    if isinstance(left, Tensor):
        return _is_equal_tensor(left, right)
    if isinstance(left, np.ndarray):
        return left.shape == right.shape and bool(np.all(left == right))
    if isinstance(left, tuple(_STATES)):
        read = next(read for kind, read in _STATES.items() if isinstance(left, kind))
        return are_equal(read(left), read(right))
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
