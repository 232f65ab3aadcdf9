"""Values of a user's enums and named tuples, as the path of their class and plain content.

Classes are looked up among the modules that are imported already: nothing is imported or called.
"""

import sys
from enum import Enum
from typing import Any

_SEPARATOR = ":"


def path_of(kind: type) -> str | None:
    """Return the path of a class, as ``module:name``; None if it does not lead to it."""
    path = f"{kind.__module__}{_SEPARATOR}{kind.__qualname__}"
    return path if _at(path) is kind else None


def is_named_tuple(kind: type) -> bool:
    """Return whether a class is one of ``namedtuple`` or ``typing.NamedTuple``."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def member(path: str, name: str) -> Enum:
    """Return a member of the enum at a path.

    Args:
        path: What `path_of` returned.
        name: Of the member.

    Raises:
        ValueError: If there is none.
    """
    kind = _at(path)
    if not (isinstance(kind, type) and issubclass(kind, Enum) and name in kind.__members__):
        raise ValueError(f"no member {name} of an enum at {path}")
    return kind.__members__[name]


def named_tuple(path: str, items: list[Any]) -> Any:
    """Return a named tuple of the class at a path.

    Args:
        path: What `path_of` returned.
        items: Of the tuple.

    Raises:
        ValueError: If there is no such class.
    """
    kind = _at(path)
    if not (isinstance(kind, type) and is_named_tuple(kind)):
        raise ValueError(f"no named tuple at {path}")
    return tuple.__new__(kind, items)


def _at(path: str) -> Any:
    module, _, name = path.partition(_SEPARATOR)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    return found
