"""Plain containers: changing what is in them."""

from collections.abc import Callable
from typing import Any


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container of the same type in which each item is changed; any other value as it is.

    Args:
        value: A dict, of which the values are changed, a list or a tuple; what is derived from
            these is none of them.
        change: Returns what takes the place of an item.
    """
    if type(value) is dict:
        return {key: change(item) for key, item in value.items()}
    return type(value)(map(change, value)) if type(value) in (list, tuple) else value
