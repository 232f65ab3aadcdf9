"""Values that are written into the objects that stand for them, which others may refer to."""

import random
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autolr.runtime.layouts import alike


def put_into(present: Any, value: Any) -> bool:
    """Write a value into the object that stands for it; return whether that is possible.

    What else refers to the object, as a loader to a generator, then sees the value too.

    Args:
        present: The object.
        value: Another one, of any kind.
    """
    if type(present) is not type(value):
        return False
    write = next((write for kind, write in _WRITERS.items() if isinstance(present, kind)), None)
    return write is not None and write(present, value)


def _write_tensor(present: Tensor, value: Tensor) -> bool:
    if not alike(present, value):
        return False
    try:
        with torch.no_grad():
            present.copy_(value)
    except RuntimeError:  # its elements overlap, as expanded ones, or it is one of inference
        return False
    return True


def _write_array(present: Any, value: Any) -> bool:
    fits = present.shape == value.shape and present.dtype == value.dtype and present.flags.writeable
    if fits:
        np.copyto(present, value)
    return bool(fits)


def _write_bytes(present: Any, value: Any) -> bool:
    try:
        present[:] = value
    except (BufferError, TypeError):  # of another length, and others look at it; of another type
        return False
    return True


def _write_list(present: Any, value: Any) -> bool:
    present.clear()
    present.extend(value)
    return True


def _write_mapping(present: Any, value: Any) -> bool:
    present.clear()
    present.update(value)
    return True


def _write_generator(present: Any, value: Any) -> bool:
    if isinstance(present, np.random.Generator):
        if type(present.bit_generator) is not type(value.bit_generator):
            return False
        present.bit_generator.state = value.bit_generator.state
    elif isinstance(present, random.Random):
        present.setstate(value.getstate())
    else:
        present.set_state(value.get_state())
    return True


GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_WRITERS: dict[Any, Callable[[Any, Any], bool]] = {
    Tensor: _write_tensor,
    np.ndarray: _write_array,
    (bytearray, array): _write_bytes,
    (list, deque): _write_list,
    (dict, set): _write_mapping,
    GENERATORS: _write_generator,
}
