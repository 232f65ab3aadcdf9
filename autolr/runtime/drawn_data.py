"""Whether training data are drawn from what a training step writes: a memory of what was played."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from torch import nn

from autolr.runtime.attribute_access import attributes_of
from autolr.runtime.attribute_values import ATOMS
from autolr.runtime.held_objects import HeldObjects

_MOST = 10_000  # objects that are looked at: a data set may hold millions of samples
_ITEMS = 100  # of a container, of which the first stand for all


def drawn_from(data: object, model: nn.Module, changed: Iterable[str]) -> list[str]:
    """Return those attributes to which training data refer as well.

    Each copy of a run writes into an attribute of its own, and no data are drawn from that.

    Args:
        data: The loader of the training data, or whatever they are drawn from.
        model: The model.
        changed: Names of attributes, such as ``memory`` or ``agent.memory``.
    """
    held = HeldObjects(model).holders
    present = {
        f"{name}.{field}" if name else field: value
        for name, holder in held.items()
        for field, value in holder.fields().items()
    }
    names = [name for name in changed if name in present]
    if not names:
        return []
    read = {id(one) for one in _referred(data)}
    return [name for name in names if id(present[name]) in read]


def _referred(data: object) -> list[Any]:
    """Return what data refer to, the nearest first; modules are not looked into."""
    found, seen = [data], {id(data)}
    waiting = deque(found)
    while waiting and len(found) < _MOST:
        for part in _parts(waiting.popleft()):
            if type(part) not in ATOMS and id(part) not in seen and not isinstance(part, nn.Module):
                seen.add(id(part))
                found.append(part)
                waiting.append(part)
    return found


def _parts(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(items, list | tuple | deque | set | type({}.values())):
        items = ()
    return chain(attributes_of(value).values(), islice(items, _ITEMS))
