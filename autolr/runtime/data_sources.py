"""What batches are drawn with beside the global generators: what loaders and their data hold.

A loader may have a generator of its own, a sampler counts its epochs, a dataset adds noise that
grows. Data sets are large: of attributes that are not generators only small ones count, and they
are stored only where they have changed since the loaders were made.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Generator, Tensor
from torch.utils.data import DataLoader, IterableDataset

from autolr.runtime.attribute_access import attributes_of
from autolr.runtime.attribute_values import copied_value
from autolr.runtime.equality import are_equal
from autolr.runtime.in_place import GENERATORS, put_into
from autolr.runtime.stored_values import NotStorableError, check_storable, stored, unstored

_PARTS = ("sampler", "batch_sampler", "_sampler", "dataset", "datasets", "transform", "collate_fn")
_MOST = 1000  # items of a container, or numbers of a tensor: a choice
_CONTAINERS = (list, tuple, dict, set, deque)


class DataSources:
    """The loaders of a run, about to be drawn from for the first time.

    Args:
        loaders: The training loaders.
    """

    def __init__(self, loaders: Iterable[object]) -> None:
        self._loaders = list(loaders)
        self._made = {
            name: {field: copied_value(value, {}) for field, value in _fields(part)}
            for name, part in self._parts()
        }

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values by part and attribute; what has no plain form is left out."""
        state: dict[str, dict[str, Any]] = {}
        for name, part in self._parts():
            made = self._made.get(name, {})
            for field, value in _fields(part):
                is_new = field not in made or not are_equal(made[field], value)
                if is_new or isinstance(value, GENERATORS):
                    state.setdefault(name, {})[field] = stored(copied_value(value, {}))
        return state

    def changed(self) -> list[str]:
        """Return what has changed since the loaders were made, as class and attribute."""
        return [
            f"{type(part).__name__}.{field}"
            for name, part in self._parts()
            for field, value in _fields(part)
            if field not in self._made.get(name, {})
            or not are_equal(self._made[name][field], value)
        ]

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Set what another process has stored, and what it has not as the loaders were made."""
        for name, part in self._parts():
            fields = attributes_of(part)
            before = {field: unstored(value) for field, value in state.get(name, {}).items()}
            for field, value in (self._made.get(name, {}) | before).items():
                present = fields.get(field)
                if not are_equal(present, value) and not put_into(present, value):
                    fields[field] = copied_value(value, {})

    def _parts(self) -> Iterator[tuple[str, object]]:
        seen: set[int] = set()
        for index, loader in enumerate(self._loaders):
            yield from _walked(f"loader {index}", loader, seen)


def changed_in_workers(loaders: Iterable[object]) -> list[str]:
    """Return what items that persistent workers load change in their copies of the data.

    These copies last from epoch to epoch, and no checkpoint of the run sees them. An item of each
    data set is loaded here, to find out.

    Args:
        loaders: The training loaders.
    """
    changed: list[str] = []
    for loader in loaders:
        if isinstance(loader, DataLoader) and loader.persistent_workers:
            data = loader.dataset
            sources = DataSources([data])
            with suppress(Exception):  # what loads may be anybody's, and workers name what it is
                next(iter(data)) if isinstance(data, IterableDataset) else data[0]
            changed += sources.changed()
    return changed


def _walked(name: str, part: object, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Yield an object and what it draws from, each once."""
    if isinstance(part, list | tuple):
        for index, item in enumerate(part[:_MOST]):
            yield from _walked(f"{name}.{index}", item, seen)
        return
    if id(part) in seen or isinstance(part, type):
        return
    seen.add(id(part))
    yield name, part
    for inner in _PARTS:
        if (held := attributes_of(part).get(inner)) is not None:
            yield from _walked(f"{name}.{inner}", held, seen)


def _fields(part: object) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object that count, by name."""
    for field, value in list(attributes_of(part).items()):
        if isinstance(part, DataLoader) and not isinstance(value, Generator):
            continue  # how it loads
        if _is_small(value):
            try:
                check_storable(value)
            except NotStorableError:
                continue
            yield field, value


def _is_small(value: Any) -> bool:
    return _left(value, _MOST) >= 0


def _left(value: Any, most: int) -> int:
    """Return how many items a value leaves of so many; it is not looked at any further below 0."""
    if isinstance(value, Tensor | np.ndarray):
        return most - int(np.prod(value.shape))
    if isinstance(value, str | bytes | bytearray | array):
        return most - len(value)
    if isinstance(value, _CONTAINERS):
        most -= len(value)
        for item in value.values() if isinstance(value, dict) else value:
            if most < 0:
                break
            most = _left(item, most)
    return most
