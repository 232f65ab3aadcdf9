"""Values of attributes: which are plain, and copies of them."""

import copy
import random
from array import array
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from autolr.runtime.attribute_access import has_method
from autolr.runtime.shared_kinds import is_opaque

_SCALARS = (bool, int, float, complex, str, bytes, type(None))

ATOMS = frozenset(_SCALARS)
"""Types whose values never change; most values are of one of them."""


_CONTAINERS = (list, dict, set, deque, tuple, frozenset)


_NUMPYS = (np.ndarray, np.generic, np.random.Generator, np.random.RandomState, random.Random)


_BYTES = (bytearray, array)


_KINDS = (*_SCALARS, *_CONTAINERS, *_NUMPYS, *_BYTES, Tensor, torch.Generator)


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
        if type(item) not in ATOMS:
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
        return type(value)(*items) if has_method(value, "_fields") else type(value)(items)
    if isinstance(value, set | bytearray | array):
        return copy.copy(value)
    return _copied_opaque(value, copies) if is_opaque(value) else value


def _copied_opaque(value: Any, copies: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, copies)
    except Exception:  # of a class that we do not know; `HeldObjects` names it
        return value
