"""Containers and values whose class a saved state keeps: those that are rebuilt without code.

Each one is taken apart into a plain content, whose places are its own, and what else it has.
"""

import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from autolr.runtime.class_values import is_named_tuple, member, named_tuple, path_of

_FACTORIES: dict[str, type] = {kind.__name__: kind for kind in (list, dict, set, int, float, str)}
_PLAIN: dict[type, str] = {  # what makes a plain value of a subclass
    **{kind: kind.__name__ for kind in (dict, list, tuple, str, bytes, int, float)},
    np.ndarray: "numpy.array",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a class are taken apart and rebuilt.

    Attributes:
        name: In the file.
        parts: Returns the content, and what else a value has, plain; None if it cannot be kept.
        back: Returns the value of these two.
    """

    name: str
    parts: Callable[[Any], tuple[Any, Any] | None]
    back: Callable[[Any, Any], Any]


def kind_of(value: object) -> Kind | None:
    """Return how to keep a value of a class that is none of the plain ones; None: not at all."""
    made = type(value)
    if made in _EXACT:
        return _EXACT[made]
    if isinstance(value, Enum):
        return _MEMBER
    if is_named_tuple(made):
        return _NAMED
    torch = sys.modules.get("torch")
    return _SIZE if torch is not None and made is torch.Size else None


def plainly(value: object) -> str | None:
    """Return what makes a plain value of one of a subclass, as "list"; None: it is of none."""
    return next((call for kind, call in _PLAIN.items() if isinstance(value, kind)), None)


def _default_parts(value: Any) -> tuple[Any, Any] | None:
    made = value.default_factory
    if made is None or made in _FACTORIES.values():
        return dict(value), None if made is None else made.__name__
    return None


def _ordered(content: dict[Any, Any], attributes: dict[str, Any]) -> OrderedDict[Any, Any]:
    made = OrderedDict(content)
    vars(made).update(attributes)
    return made


def _member_parts(value: Any) -> tuple[Any, Any] | None:
    path = path_of(type(value))
    known = path is not None and type(value).__members__.get(value.name) is value
    return (value.name, path) if known else None  # flags combined have no name of their own


def _named_parts(value: Any) -> tuple[Any, Any] | None:
    path = path_of(type(value))
    return None if path is None else (list(value), path)


def _size(content: list[int], _: None) -> Any:
    import torch  # here: few states have a size

    return torch.Size(content)


_MEMBER = Kind("member", _member_parts, lambda name, path: member(path, name))
_NAMED = Kind("named tuple", _named_parts, lambda items, path: named_tuple(path, items))
_SIZE = Kind("size", lambda value: (list(value), None), _size)
_EXACT: dict[type, Kind] = {
    OrderedDict: Kind(  # torch keeps versions of modules in its attributes
        "ordered dict", lambda value: (dict(value), dict(vars(value))), _ordered
    ),
    defaultdict: Kind(
        "default dict",
        _default_parts,
        lambda content, name: defaultdict(_FACTORIES.get(name), content),
    ),
    Counter: Kind("counter", lambda value: (dict(value), None), lambda counts, _: Counter(counts)),
}
KINDS = {kind.name: kind for kind in (_MEMBER, _NAMED, _SIZE, *_EXACT.values())}
