"""Equality of values of any kind, bit for bit or nearly."""

import random
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autolr.runtime.attribute_values import IS_PLAIN
from autolr.runtime.exchange import local
from autolr.runtime.layouts import alike, parts_of


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much two values may differ and count as equal.

    Attributes:
        tensors: Of tensors and arrays, as a share of their largest value.
        floats: Of Python's numbers, as a share of the larger one.
    """

    tensors: float = 0.0
    floats: float = 0.0


EXACT = Tolerance()
"""Values are equal bit for bit."""


def are_equal(left: Any, right: Any, tolerance: Tolerance = EXACT) -> bool:
    """Return whether two values are equal in type and value; NaN equals NaN.

    Args:
        left: A value of any kind. Of what is not plain only the type is compared.
        right: Another one.
        tolerance: How much they may differ.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if not IS_PLAIN[type(left)]:
        return True
    for kinds, compare in _COMPARISONS:
        if isinstance(left, kinds):
            return compare(left, right, tolerance)
    return bool(left == right)


def _are_equal_floats(left: Any, right: Any, tolerance: Tolerance) -> bool:
    if left != left or right != right:  # NaN
        return bool(left != left and right != right)
    difference = abs(left - right) if left != right else 0.0
    return bool(difference <= tolerance.floats * max(abs(left), abs(right)))


def _are_equal_dicts(left: Any, right: Any, tolerance: Tolerance) -> bool:
    same = left.keys() == right.keys()
    return same and all(are_equal(left[key], right[key], tolerance) for key in left)


def _are_equal_sequences(left: Any, right: Any, tolerance: Tolerance) -> bool:
    pairs = zip(left, right, strict=False)
    return len(left) == len(right) and all(are_equal(*pair, tolerance) for pair in pairs)


def _are_equal_generators(left: Any, right: Any, tolerance: Tolerance) -> bool:
    read = next(read for kind, read in _STATES.items() if isinstance(left, kind))
    return are_equal(read(left), read(right), tolerance)


def _are_equal_arrays(left: Any, right: Any, tolerance: Tolerance) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.hasobject:
        return _are_equal_sequences(left.ravel().tolist(), right.ravel().tolist(), tolerance)
    if left.tobytes() == right.tobytes():
        return True
    if not (tolerance.tensors and np.issubdtype(left.dtype, np.inexact)):
        return False
    most = tolerance.tensors * float(np.max(np.abs(left), initial=0))
    return bool(np.allclose(left, right, rtol=0, atol=most, equal_nan=True))


def _are_equal_tensors(left: Tensor, right: Tensor, tolerance: Tolerance) -> bool:
    left, right = local(left), local(right)
    if left.is_meta or not alike(left, right):
        return alike(left, right)
    pairs = zip(parts_of(left), parts_of(right), strict=True)
    return all(_are_equal_blocks(*pair, tolerance) for pair in pairs)


def _are_equal_blocks(left: Tensor, right: Tensor, tolerance: Tolerance) -> bool:
    try:
        if left.shape != right.shape:
            return False
        if not (left.is_floating_point() or left.is_complex()):
            return torch.equal(left, right)
        if left.allclose(right, 0, 0, equal_nan=True):
            return True
        finite = left[left.isfinite()].abs() if tolerance.tensors else left.new_empty(0)
        most = float(finite.max()) if finite.numel() else 0.0
        return left.allclose(right, 0, tolerance.tensors * most, equal_nan=True)
    except RuntimeError:  # on two devices, or of a pass of torch.func that is over
        return False


_STATES: dict[type, Callable[[Any], Any]] = {
    torch.Generator: lambda generator: generator.get_state(),
    np.random.Generator: lambda generator: generator.bit_generator.state,
    np.random.RandomState: lambda generator: generator.get_state(),
    random.Random: lambda generator: generator.getstate(),
}

_COMPARISONS: tuple[tuple[Any, Callable[[Any, Any, Tolerance], bool]], ...] = (
    (float, _are_equal_floats),
    (dict, _are_equal_dicts),
    ((list, tuple, deque), _are_equal_sequences),
    (Tensor, _are_equal_tensors),
    (np.ndarray, _are_equal_arrays),
    ((bytearray, array), lambda left, right, _: bytes(left) == bytes(right)),
    (tuple(_STATES), _are_equal_generators),
)
