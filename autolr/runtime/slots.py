"""What modules hold in the places of their buffers, exchanged with a state that is kept."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from torch import Tensor

from autolr.runtime.structure import Slot
from autolr.runtime.swap import Swap

ABSENT: Final = "absent"
"""Held in place of a buffer that a module has not registered yet."""

Content: TypeAlias = Any  # a tensor, None (a name without one), or ABSENT


def content_of(slot: Slot) -> Content:
    """Return what a module holds in a place now."""
    module, name = slot
    return module._buffers.get(name, ABSENT)


def exchanged(contents: Mapping[Slot, Content], swap: Swap) -> dict[Slot, Content]:
    """Put contents into their places; return what was there.

    Where there is a tensor before and after, only its data are swapped: others may hold it.
    A module may bind another tensor to the name at any step, or the first one.

    Args:
        contents: By place. Places with one tensor (tied buffers) share one content.
        swap: How data are swapped.
    """
    were: dict[Slot, Content] = {}
    swapped: dict[int, Tensor] = {}  # the data that a tensor had, by its identity
    for slot, held in contents.items():
        present = content_of(slot)
        if isinstance(present, Tensor) and isinstance(held, Tensor):
            if id(present) not in swapped:
                swapped[id(present)] = swap.data(present, held)
            were[slot] = swapped[id(present)]
        else:
            were[slot] = present
            _bind(slot, held)
    return were


def _bind(slot: Slot, held: Content) -> None:
    module, name = slot
    if isinstance(held, str):
        module._buffers.pop(name, None)
    else:
        module._buffers[name] = held
