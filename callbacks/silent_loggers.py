"""Loggers that are silent for a block, in one thread."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autolr.callbacks.namespaces import Logger
from autolr.callbacks.silent_reads import silent_read

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
            return value if name.startswith("_") or not _is_silent() else silent_read(name, value)

        return read

    ways = ("__getattribute__", "__getattr__")  # not every class has the second one
    names: dict[str, Any] = {way: reading(getattr(kind, way)) for way in ways if hasattr(kind, way)}
    # the parser of the next trial takes classes of functions for no other meaning of a short name
    local = f"silenced.<locals>.{kind.__qualname__}"
    names |= {"__slots__": (), "__module__": kind.__module__, "__qualname__": local}
    silent: type = type(kind)(kind.__name__, (kind,), names)
    return silent


def _is_silent() -> bool:
    """Return whether this thread belongs to the silent step: its own, or one of autograd's.

    Threads that Python has not started (hooks of tensors run there, on a GPU) are autograd's.
    """
    return _silence.on or isinstance(threading.current_thread(), threading._DummyThread)
