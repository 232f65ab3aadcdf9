"""What reading a silent logger gives: values, and calls that do nothing."""

import copy
import os
from enum import Enum
from typing import Any

from torch import Tensor

_PLAIN = (str, bytes, int, float, complex, os.PathLike, Enum, type, type(None), Tensor)


_CONTAINERS = (list, tuple, dict, set, frozenset)


_GETTERS = ("get", "is_", "has_")


class _Read:
    """Stands for an object of a logger: reading gives the object's values, writing does nothing."""

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_value", value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # for isinstance
        return type(object.__getattribute__(self, "_value"))

    def __getattr__(self, name: str) -> Any:
        return silent_read(name, getattr(object.__getattribute__(self, "_value"), name))

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __getitem__(self, key: Any) -> Any:
        return silent_read("", object.__getattribute__(self, "_value")[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __enter__(self) -> "_Read":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Nothing:
    """The value of a silent call: every operation on it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Nothing":
        return self

    def __getitem__(self, key: Any) -> "_Nothing":
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __bool__(self) -> bool:
        return False


_NOTHING = _Nothing()


def silent_read(name: str, value: Any) -> Any:
    """Return what reading an attribute of a logger, or of an object within it, gives.

    Args:
        name: The attribute's; a method is read as it is if the name says that it only reads.
        value: What the attribute holds.
    """
    if callable(value) and not isinstance(value, type):
        return value if name.startswith(_GETTERS) else _NOTHING
    if isinstance(value, _PLAIN):
        return value
    return copy.copy(value) if isinstance(value, _CONTAINERS) else _Read(value)
