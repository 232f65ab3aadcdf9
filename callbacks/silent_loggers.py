"""Loggers that are silent for a block, in one thread."""

import copy
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from torch import Tensor

from autolr.callbacks.namespaces import Logger

_PLAIN = (str, bytes, int, float, complex, os.PathLike, Enum, type, type(None), Tensor)


_CONTAINERS = (list, tuple, dict, set, frozenset)


_GETTERS = ("get", "is_", "has_")


_CLASS: Any = object.__dict__["__class__"]  # an object may hide it (a mock does)


class _Silence(threading.local):
    """Whether the loggers are silent for this thread."""

    on = False


_silence = _Silence()


@contextmanager
def silenced(loggers: list[Logger]) -> Iterator[None]:
    """Silence loggers for a block; other threads of the user still log."""
    kinds = [type(logger) for logger in loggers]
    before, _silence.on = _silence.on, True
    try:
        for logger, kind in zip(loggers, kinds, strict=True):
            _CLASS.__set__(logger, _silent_kind(kind))
        yield
    finally:
        for logger, kind in zip(loggers, kinds, strict=True):
            _CLASS.__set__(logger, kind)
        _silence.on = before


@functools.cache
def _silent_kind(kind: Any) -> type:
    """Return a class of loggers that may be read and cannot be written to."""

    def reading(how: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        def read(self: Any, name: str) -> Any:
            value = how(self, name)
            return value if name.startswith("_") or not _is_silent() else _read(name, value)

        return read

    ways = ("__getattribute__", "__getattr__")  # not every class has the second one
    names: dict[str, Any] = {way: reading(getattr(kind, way)) for way in ways if hasattr(kind, way)}
    names |= {"__slots__": (), "__module__": kind.__module__}
    silent: type = type(kind)(kind.__name__, (kind,), names)
    return silent


def _is_silent() -> bool:
    """Return whether this thread belongs to the silent step: its own, or one of autograd's.

    Threads that Python has not started (hooks of tensors run there, on a GPU) are autograd's.
    """
    return _silence.on or isinstance(threading.current_thread(), threading._DummyThread)


class _Read:
    """Stands for an object of a logger: reading gives the object's values, writing does nothing."""

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_value", value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # for isinstance
        return type(object.__getattribute__(self, "_value"))

    def __getattr__(self, name: str) -> Any:
        return _read(name, getattr(object.__getattribute__(self, "_value"), name))

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __getitem__(self, key: Any) -> Any:
        return _read("", object.__getattribute__(self, "_value")[key])

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


def _read(name: str, value: Any) -> Any:
    """Return what reading an attribute of a logger, or of an object within it, gives."""
    if callable(value) and not isinstance(value, type):
        return value if name.startswith(_GETTERS) else _NOTHING
    if isinstance(value, _PLAIN):
        return value
    return copy.copy(value) if isinstance(value, _CONTAINERS) else _Read(value)
