"""Copies of batches, their size, and what a checkpoint can hold of them."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from autolr.runtime.plain import is_plain, packed, size

_STORED_BYTES = 64 * 2**20  # of the last batches in a checkpoint, at most: a choice


def own_copy(batch: Any) -> Any:
    """Return a batch that may be changed in place without changing ``batch``."""
    return apply_to_collection(batch, Tensor, torch.clone)


def storable(batches: Any) -> Any:
    """Return batches for a checkpoint; None where they are not plain, or too large for one.

    Args:
        batches: A list of them, with what belongs to each; a `packed` one is returned.
    """
    return packed(batches) if is_plain(batches) and size(batches) <= _STORED_BYTES else None


def size_in_bytes(batch: Any) -> int:
    """Return the bytes of the tensors in a batch."""
    if isinstance(batch, Tensor):
        return batch.numel() * batch.element_size()
    if isinstance(batch, Mapping):
        return sum(size_in_bytes(item) for item in batch.values())
    return sum(size_in_bytes(item) for item in batch) if isinstance(batch, list | tuple) else 0
