"""What each process stores in a checkpoint that one of them writes.

Under DDP weights and optimizer states are the same in all processes; generators, batches and
buffers are not. Of every process but the first only what differs from the first is stored.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from autolr.runtime.containers import each

BY_RANK = "by_rank"
"""The key under which the changes stand, one for each process."""

_EACH = "autolr: some of its items"  # the key that marks changes within a container
SAME: Any = object()
"""Stands for the change between equal values."""


def collected(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the first process has to write; all processes of the group call this.

    Args:
        value: What this process stores: plain values. On the first one it is in what is returned.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    first: list[Any] = [marks_of(value) if rank == 0 else None]
    dist.broadcast_object_list(first, src=0)
    change = change_of(value, first[0])
    by_rank: list[Any] | None = [None] * size if rank == 0 else None
    dist.gather_object(None if change is SAME else _on_cpu(change), by_rank, dst=0)
    return {**value, BY_RANK: by_rank}


def of_rank(written: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Return what a process has stored.

    Args:
        written: What `collected` returned on the first process.
        rank: That of the process.
    """
    value = {name: item for name, item in written.items() if name != BY_RANK}
    change = written[BY_RANK][rank]
    changed: dict[str, Any] = value if change is None else changed_by(value, change)
    return changed


def marks_of(value: Any) -> Any:
    """Return a value of the same structure, in which a digest stands for each tensor."""
    if isinstance(value, Tensor):
        memory = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        kind = f"{value.dtype} {tuple(value.shape)} ".encode()
        return hashlib.sha256(kind + memory.tobytes()).digest()
    return each(value, marks_of)


def change_of(value: Any, first: Any) -> Any:
    """Return what differs of a value from another one; `SAME` if nothing does.

    Args:
        value: A plain value.
        first: The marks of the other one, see `marks_of`.
    """
    if type(value) is type(first) is dict and value.keys() == first.keys():
        changes = {key: change_of(item, first[key]) for key, item in value.items()}
    elif type(value) in (list, tuple) and type(first) is type(value) and len(value) == len(first):
        changes = {
            index: change_of(*pair) for index, pair in enumerate(zip(value, first, strict=True))
        }
    else:
        return SAME if marks_of(value) == first else value
    changes = {key: change for key, change in changes.items() if change is not SAME}
    return {_EACH: changes} if changes else SAME


def changed_by(value: Any, change: Any) -> Any:
    """Return the value to which a change leads.

    Args:
        value: The other one.
        change: What `change_of` returned.
    """
    if type(change) is not dict or _EACH not in change:
        return change
    changes = change[_EACH]
    if type(value) is dict:
        return value | {key: changed_by(value[key], one) for key, one in changes.items()}
    items = enumerate(value)
    return type(value)(changed_by(v, changes[i]) if i in changes else v for i, v in items)


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # a view would bring all of its memory along
    return each(value, _on_cpu)
