"""Whole numbers by which a module tells where its run is; they do not go back with its weights.

A module may count its steps or epochs, and compute a weight of its loss from the count. The
Trainer's own counts continue where an older state takes the run's place, and so do these: else that
state would be trained and scored on an earlier objective than the run.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from autolr.runtime.attribute_values import is_leaf
from autolr.runtime.equality import are_equal
from autolr.runtime.exchange import local
from autolr.runtime.held_objects import is_metric, is_torchs
from autolr.runtime.holders import Holder
from autolr.runtime.slots import Content
from autolr.runtime.structure import Slot

_STORES = (list, deque, np.ndarray)


def count_on(
    attributes: Iterable[tuple[Holder, dict[str, Any]]], buffers: dict[Slot, Content]
) -> None:
    """Have an older state of a run take on what the run has counted since.

    Args:
        attributes: Objects of the run with the attributes that they have in that state.
        buffers: The buffers of that state.
    """
    for holder, saved in attributes:
        if _belongs_to_weights(holder.owner):
            continue
        present, registered = holder.fields(), _buffers_of(holder.owner, buffers)
        older = saved | {name: buffers[holder.owner, name] for name in registered}
        for name in gone_on(older, present | registered, registered):
            if name in registered:
                buffers[holder.owner, name] = registered[name].clone()
            else:
                saved[name] = _copy(present[name])
        for name, value in present.items():
            if isinstance(value, dict) and isinstance(saved.get(name), dict):
                hidden = value if name == "_buffers" else ()  # of a module in a list, say
                for key in gone_on(saved[name], value, hidden):
                    saved[name][key] = _copy(value[key])


def gone_on(
    saved: Mapping[str, Any], present: Mapping[str, Any], buffers: Collection[str] = ()
) -> Iterator[str]:
    """Yield the names of the whole numbers that an older state of an object takes on.

    These are an int, and a tensor of one element with a whole value; a float only if it has grown.
    No count is a flag (a bool, or 0 and 1 in a tensor), nor what may be the length of a store that
    the object keeps beside it, or a place in it: that has to fit the store of the older state.

    Args:
        saved: Attributes and buffers of the older state by name.
        present: Those of the run.
        buffers: The names of buffers; they are stores, as lists and arrays are. Another tensor
            may be an output of the last step.
    """
    stores = [
        sizes
        for name, value in present.items()
        if isinstance(value, _STORES) or name in buffers
        for sizes in _changed_sizes(saved.get(name), value)
    ]
    for name in present.keys() & saved.keys():
        before, now = _whole(saved[name]), _whole(present[name])
        if before is None or now is None or before == now:
            continue
        is_flag = isinstance(present[name], Tensor) and {before, now} == {0, 1}
        falls = _is_floating(present[name]) and now < before
        if not (is_flag or falls or any(_is_place(before, now, *sizes) for sizes in stores)):
            yield name


def _belongs_to_weights(owner: object) -> bool:
    """Return whether an object counts for its weights (an optimizer, batch norm) or its sums."""
    of_torch = isinstance(owner, nn.Module) and is_torchs(owner)
    return of_torch or isinstance(owner, Optimizer) or is_metric(owner)


def _buffers_of(owner: object, among: Collection[Slot]) -> dict[str, Tensor]:
    """Return the present buffers of a module that an older state of it has too."""
    if not isinstance(owner, nn.Module):
        return {}
    named = owner._buffers.items()
    return {n: b for n, b in named if (owner, n) in among and b is not None and not is_lazy(b)}


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _whole(value: Any) -> int | None:
    """Return the number that a value is, if that is whole."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Tensor):
        value = None if is_lazy(value) or is_leaf(value) else _item(local(value))
    is_whole = type(value) is int or (type(value) is float and value.is_integer())
    return int(value) if is_whole else None


def _item(tensor: Tensor) -> Any:
    return tensor.item() if tensor.numel() == 1 else None


def _is_floating(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, Tensor) and value.is_floating_point())


def _changed_sizes(saved: Any, present: Any) -> Iterator[tuple[int, int]]:
    """Yield each size of a store, before and now, if it has changed."""
    if type(saved) is type(present) and not are_equal(saved, present):
        yield from zip(_sizes(saved), _sizes(present), strict=False)


def _sizes(store: Any) -> tuple[int, ...]:
    return tuple(store.shape) if isinstance(store, Tensor | np.ndarray) else (len(store),)


def _is_place(before: int, now: int, was: int, size: int) -> bool:
    """Return whether two numbers may be places in a store, or its lengths, before and now.

    Args:
        before: A number of the older state.
        now: The same of the run.
        was: A size of the store of the older state.
        size: The same of the run.
    """
    if was == size:
        return min(before, now) >= 0 and max(before, now) <= size
    return was - before == size - now and was - before in (0, 1)
