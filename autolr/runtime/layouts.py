"""Tensors that are not one strided block of values: sparse, nested, or without data."""

import torch
from torch import Tensor

_BY_ROW = (torch.sparse_csr, torch.sparse_bsr)
_BY_COLUMN = (torch.sparse_csc, torch.sparse_bsc)


def parts_of(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return the strided tensors that hold what is in a tensor; a strided one is its only part."""
    if tensor.is_nested:
        return tuple(tensor.unbind())
    if tensor.layout is torch.sparse_coo:
        return tensor._indices(), tensor._values()  # `indices` are those of a coalesced one only
    if tensor.layout in _BY_ROW:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in _BY_COLUMN:
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return (tensor,)


def is_block(tensor: Tensor) -> bool:
    """Return whether the values of a tensor lie in memory by shape and strides."""
    return tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta)


def bytes_of(tensor: Tensor) -> int:
    """Return the bytes of what is in a tensor."""
    return sum(part.nbytes for part in parts_of(tensor))


def alike(left: Tensor, right: Tensor) -> bool:
    """Return whether two tensors are of one layout, type and shape, and both have data or none.

    Args:
        left: A tensor, of which this process holds all.
        right: Another one.
    """
    kinds = [(one.layout, one.dtype, one.is_nested, one.is_meta) for one in (left, right)]
    if kinds[0] != kinds[1]:
        return False
    if left.is_nested:  # it has no shape of its own
        shapes = [[part.shape for part in parts_of(one)] for one in (left, right)]
        return shapes[0] == shapes[1]
    return left.shape == right.shape
