"""Validation batches in memory, so that all passes see the same ones."""

from collections.abc import Iterator, Sequence
from typing import Any

from autolr.callbacks.batches import own_copy, size_in_bytes
from autolr.runtime.loaders import drawn_aside, kept_generators_of

_MEMORY = 256 * 2**20  # bytes of validation batches kept for the next pass, at most: a choice


class KeptBatches:
    """The batches of the first pass over some loaders, for the passes after it."""

    def __init__(self) -> None:
        self._kept: dict[int, list[Any]] = {}  # by the index of the loader
        self._room = _MEMORY

    def loaders(self, loaders: Sequence[Any]) -> "list[KeptLoader]":
        """Return stand-ins for the loaders in one pass: kept batches where there are any.

        Args:
            loaders: The Trainer's own; their iterators and generators are left alone.
        """
        return [KeptLoader(one, self._kept.get(index)) for index, one in enumerate(loaders)]

    def keep(self, seen: "Sequence[KeptLoader]") -> None:
        """Keep what a whole pass has drawn, loader by loader, as far as there is room.

        Args:
            seen: What `loaders` returned for the pass.
        """
        for index, loader in enumerate(seen):
            if index not in self._kept and loader.drawn is not None:
                size = size_in_bytes(loader.drawn)
                if size <= self._room:
                    self._kept[index] = loader.drawn
                    self._room -= size


class KeptLoader:
    """Stands for a loader in one pass; a loader that is begun anew gives the same batches.

    Args:
        loader: The loader.
        kept: Its batches, if they are known.

    Attributes:
        drawn: Copies of the batches so far; None: they were too large to keep.
    """

    def __init__(self, loader: Any, kept: list[Any] | None) -> None:
        self.drawn: list[Any] | None = [] if kept is None else kept
        self._loader = loader
        self._complete = kept is not None

    def __len__(self) -> int:
        return len(self._loader)  # a TypeError where it has no length, as the Trainer expects

    def __iter__(self) -> Iterator[Any]:
        if self._complete and self.drawn is not None:
            yield from map(own_copy, self.drawn)
            return
        self.drawn, size = [], 0
        with kept_generators_of(self._loader):
            for batch in drawn_aside(self._loader):
                size += size_in_bytes(batch)
                if size > _MEMORY:
                    self.drawn = None
                if self.drawn is not None:
                    self.drawn.append(own_copy(batch))
                yield batch
        self._complete = True
