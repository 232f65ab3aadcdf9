"""Outlines of values that have no plain form: enough to see that training has changed one."""

import enum
import functools
import hashlib
import pickle
import re
import types
from collections import deque
from pathlib import PurePath
from typing import Any

import torch

from autolr.runtime.attribute_values import IS_PLAIN, copied_value
from autolr.runtime.equality import are_equal
from autolr.runtime.shared_kinds import is_opaque

_NAMED = (type, types.BuiltinFunctionType)
_CONSTANTS = (
    enum.Enum,
    PurePath,
    re.Pattern,
    range,
    torch.dtype,
    torch.device,
    torch.finfo,
    torch.iinfo,
)
_ITERATED = (list, tuple, deque)


def outline(value: Any) -> Any:
    """Return a plain description of a value of any kind, to be compared by `are_equal`.

    Of an object it has the type: the attributes are values themselves. Of a function it has the
    place of its code, since hooks may make a lambda anew; of containers, what is in them.

    Args:
        value: The value.
    """
    kind = type(value)
    return [f"{kind.__module__}.{kind.__qualname__}", _content(value)]


def is_as(before: Any, value: Any) -> bool:
    """Return whether a value still has an outline.

    Args:
        before: What `outline` returned.
        value: The value of now.
    """
    return are_equal(before, outline(value))


def digest(value: Any) -> str | None:
    """Return what tells an object from one of another content; None if nothing does."""
    try:
        return hashlib.sha256(pickle.dumps(value)).hexdigest()
    except Exception:  # of a class that we do not know
        return None


def _content(value: Any) -> Any:
    if isinstance(value, dict):
        return [[outline(key), outline(item)] for key, item in value.items()]
    if isinstance(value, _ITERATED):
        return [outline(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, _CONSTANTS):
        return repr(value)
    return copied_value(value, {}) if IS_PLAIN[type(value)] else _place(value)


def _place(value: Any) -> Any:
    """Return where the code of a function is; None for objects whose attributes are values."""
    if isinstance(value, functools.partial):
        return [outline(part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.MethodType):
        return outline(value.__func__)
    if isinstance(value, types.FunctionType):
        code = value.__code__
        return [code.co_filename, code.co_firstlineno, code.co_qualname]
    if isinstance(value, _NAMED):
        return f"{value.__module__}.{value.__qualname__}"
    return digest(value) if is_opaque(value) else None
