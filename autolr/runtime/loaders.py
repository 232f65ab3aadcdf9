"""Loaders that are drawn from without a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter


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
