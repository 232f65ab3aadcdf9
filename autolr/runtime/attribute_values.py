"""Values of attributes: which are plain, which are copied, and equality."""

import copy
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from autolr.runtime.shared_kinds import is_opaque

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
        value: A value of any kind; what is neither plain nor `is_opaque` is shared.
        copies: The copies so far, by the id of the original; it is added to.
    """
    if id(value) not in copies:
        if isinstance(value, list | deque | dict):
            _copy_container(value, copies)
        else:
            copies[id(value)] = _copy_item(value, copies)
    return copies[id(value)]


def is_leaf(tensor: Tensor) -> bool:
    """Return whether a tensor is trained by reference, or could be, as parameters are."""
    return isinstance(tensor, Parameter) or (tensor.is_leaf and tensor.requires_grad)


def _copy_container(value: Any, copies: dict[int, Any]) -> None:
    copied = copies[id(value)] = copy.copy(value)
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        copied[key] = copied_value(item, copies)


def _copy_item(value: Any, copies: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return value if is_leaf(value) else value.detach().clone()
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, _NUMPYS):
        return copy.deepcopy(value)
    if isinstance(value, tuple):
        items = [copied_value(item, copies) for item in value]
        if all(item is old for item, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, set):
        return copy.copy(value)
    return _copied_opaque(value, copies) if is_opaque(value) else value


def _copied_opaque(value: Any, copies: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, copies)
    except Exception:  # of a class that we do not know; `HeldObjects` names it
        return value


def are_equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal in type and value, bit for bit; NaN equals NaN.

    Args:
        left: A value of any kind. What is not plain has no value: its type is compared.
        right: Another one.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if not IS_PLAIN[type(left)]:
        return True
    for kinds, compare in _COMPARED:
        if isinstance(left, kinds):
            return compare(left, right)
    return bool(left == right or (left != left and right != right))  # NaN


def _are_equal_dicts(left: Any, right: Any) -> bool:
    return left.keys() == right.keys() and all(are_equal(left[key], right[key]) for key in left)


def _are_equal_sequences(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(map(are_equal, left, right))


def _are_equal_generators(left: Any, right: Any) -> bool:
    read = next(read for kind, read in _STATES.items() if isinstance(left, kind))
    return are_equal(read(left), read(right))


def _is_equal_array(left: Any, right: Any) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.hasobject:
        return all(map(are_equal, left.ravel().tolist(), right.ravel().tolist()))
    return bool(left.tobytes() == right.tobytes())


def _is_equal_tensor(left: Tensor, right: Tensor) -> bool:
    try:
        if left.is_floating_point() or left.is_complex():
            return left.shape == right.shape and left.allclose(right, 0, 0, equal_nan=True)
        return torch.equal(left, right)
    except RuntimeError:  # on two devices, or of a pass of torch.func that is over
        return False


_STATES: dict[type, Callable[[Any], Any]] = {
    torch.Generator: lambda generator: generator.get_state(),
    np.random.Generator: lambda generator: generator.bit_generator.state,
    np.random.RandomState: lambda generator: generator.get_state(),
    random.Random: lambda generator: generator.getstate(),
}

_COMPARED: tuple[tuple[Any, Callable[[Any, Any], bool]], ...] = (
    (dict, _are_equal_dicts),
    ((list, tuple, deque), _are_equal_sequences),
    (Tensor, _is_equal_tensor),
    (np.ndarray, _is_equal_array),
    (tuple(_STATES), _are_equal_generators),
)
