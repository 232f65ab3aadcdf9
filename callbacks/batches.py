"""Batches and loaders that are used without a trace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from autolr.runtime.plain import is_plain, packed, size

_STORED_BYTES = 64 * 2**20  # of the last batches in a checkpoint, at most: a choice


@contextmanager
def kept_generators_of(loader: Any) -> Iterator[None]:
    """Leave the generators that a loader was given as they were."""
    holders = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    own = {getattr(holder, "generator", None) for holder in holders}
    states = [(own_, own_.get_state()) for own_ in own if isinstance(own_, torch.Generator)]
    try:
        yield
    finally:
        for generator, state in states:
            generator.set_state(state)


def own_copy(batch: Any) -> Any:
    """Return a batch that may be changed in place without changing ``batch``."""
    return apply_to_collection(batch, Tensor, torch.clone)


def drawn_aside(loader: Any) -> Iterator[Any]:
    """Yield the batches of a loader; its iterator is left alone, and no worker outlives the last.

    Args:
        loader: The loader; it shares no iterator with the Trainer's if it is a `DataLoader`.
    """
    iterator = iter(_unstarted(loader))
    try:
        yield from iterator
    finally:
        if isinstance(iterator, _MultiProcessingDataLoaderIter):
            iterator._shutdown_workers()  # at once: what refers to it may keep it


def _unstarted(loader: Any) -> Any:
    """Return a loader over the same data that shares no iterator with the Trainer's."""
    if not isinstance(loader, DataLoader):
        return loader
    twin = DataLoader.__new__(type(loader))
    twin.__dict__.update(loader.__dict__)
    twin.__dict__["_iterator"] = None
    return twin


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
