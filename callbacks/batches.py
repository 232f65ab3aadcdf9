"""Copies of batches, and their size."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor


def own_copy(batch: Any) -> Any:
    """Return a batch that may be changed in place without changing ``batch``."""
    return apply_to_collection(batch, Tensor, torch.clone)


def size_in_bytes(batch: Any) -> int:
    """Return the bytes of the tensors in a batch."""
    if isinstance(batch, Tensor):
        return batch.numel() * batch.element_size()
    if isinstance(batch, Mapping):
        return sum(size_in_bytes(item) for item in batch.values())
    return sum(size_in_bytes(item) for item in batch) if isinstance(batch, list | tuple) else 0
