"""Values of attributes as plain ones, which a checkpoint holds and loads without running code."""

import random
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autolr.runtime.class_values import is_named_tuple, member, named_tuple, path_of
from autolr.runtime.plain import is_plain

_KIND = "autolr: a value of the kind"  # the key that marks what is no plain value itself
_PLACE = "place of a tensor"


class NotStorableError(TypeError):
    """A value has no plain form."""


def stored(value: Any, place_of: Callable[[Tensor], Any] = lambda _: None) -> Any:
    """Return a plain value for `unstored`; tensors are not copied.

    Args:
        value: None, a number, string, tensor, array, generator or member of an enum, or lists,
            tuples, named ones too, dicts, sets and deques of such.
        place_of: Returns what is stored in place of a tensor; None for the tensor itself.

    Raises:
        NotStorableError: If there is something else in it.
    """
    kind = type(value)
    if kind in (list, tuple):
        return kind(stored(item, place_of) for item in value)
    if kind is dict and all(type(key) in (str, int) for key in value) and _KIND not in value:
        return {key: stored(item, place_of) for key, item in value.items()}
    if kind is Tensor and (place := place_of(value)) is not None:
        return {_KIND: _PLACE, "value": place}
    if is_plain(value) and kind is not dict:
        return value
    name, to_plain, _ = _form_of(kind)
    return {_KIND: name, "value": stored(to_plain(value), place_of)}


def check_storable(value: Any) -> None:
    """Find out whether `stored` takes a value, without a copy of what may be large.

    Raises:
        NotStorableError: If it does not.
    """
    kind = type(value)
    if kind is np.ndarray:
        _check_array(value)
    elif kind in (dict, OrderedDict, Counter):
        for pair in value.items():
            check_storable(pair)
    elif kind in (list, tuple, set, frozenset, deque):
        for item in value:
            check_storable(item)
    elif kind not in (bytes, bytearray, array) and not is_plain(value):
        check_storable(_form_of(kind)[1](value))


def _form_of(kind: type) -> "_Form":
    if kind in _FORMS:
        return _FORMS[kind]
    for base in (np.generic, Enum):
        if issubclass(kind, base):
            return _FORMS[base]
    if is_named_tuple(kind):
        return _NAMED_TUPLE
    raise NotStorableError(kind.__name__)


def unstored(value: Any, at: Callable[[Any], Any] = lambda _: None) -> Any:
    """Return what `stored` has made plain.

    Args:
        value: What it returned.
        at: Returns the tensor of a place.
    """
    if type(value) is dict and value.get(_KIND) == _PLACE:
        return at(value["value"])
    if type(value) is dict and _KIND in value:
        forms = (*_FORMS.values(), _NAMED_TUPLE)
        (build,) = (back for name, _, back in forms if name == value[_KIND])
        return build(unstored(value["value"], at))
    if type(value) is dict:
        return {key: unstored(item, at) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(unstored(item, at) for item in value)
    return value


def _member_to_plain(value: Enum) -> list[str]:
    path = path_of(type(value))
    if path is None or type(value).__members__.get(value.name) is not value:  # flags combined, say
        raise NotStorableError(type(value).__name__)
    return [path, value.name]


def _named_to_plain(value: Any) -> list[Any]:
    path = path_of(type(value))
    if path is None:
        raise NotStorableError(type(value).__name__)
    return [path, list(value)]


def _check_array(value: Any) -> None:
    if value.dtype.hasobject:
        raise NotStorableError("array of objects")


def _array_to_plain(value: Any) -> list[Any]:
    _check_array(value)
    return [
        *(np.lib.format.dtype_to_descr(value.dtype), list(value.shape)),
        _memory(value.tobytes()),
    ]


def _memory(content: bytes) -> Tensor | None:
    """Return bytes as a tensor, which takes no more room in a file; None without any."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else None


def _content(memory: Tensor | None) -> bytes:
    return b"" if memory is None else memory.cpu().numpy().tobytes()


def _plain_to_array(value: Any) -> Any:
    dtype, shape, memory = value
    content = _content(memory)
    kind = np.lib.format.descr_to_dtype(dtype)
    return np.frombuffer(content, dtype=kind).reshape(shape).copy()


def _plain_to_torch_generator(value: Any) -> torch.Generator:
    generator = torch.Generator(value[0])
    generator.set_state(value[1].cpu())
    return generator


def _plain_to_generator(value: Any) -> np.random.Generator:
    bits = getattr(np.random, value["bit_generator"])()
    bits.state = value
    return np.random.Generator(bits)


def _plain_to_random_state(value: Any) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(value)
    return made


def _python_to_plain(generator: random.Random) -> list[Any]:
    version, words, gauss = generator.getstate()
    return [version, torch.tensor(words), gauss]


def _plain_to_python(value: Any) -> random.Random:
    made = random.Random()
    made.setstate((value[0], tuple(value[1].tolist()), value[2]))
    return made


def _default_to_plain(value: Any) -> list[Any]:
    factories = {kind: kind.__name__ for kind in (int, float, list, dict, set, bool)}
    if value.default_factory is not None and value.default_factory not in factories:
        raise NotStorableError("defaultdict of an own factory")
    return [factories.get(value.default_factory), _pairs(value)]


def _plain_to_default(value: Any) -> Any:
    kinds: dict[str | None, Any] = {k.__name__: k for k in (int, float, list, dict, set, bool)}
    return defaultdict(kinds.get(value[0]), map(tuple, value[1]))


def _pairs(value: Any) -> list[list[Any]]:
    return [[key, item] for key, item in value.items()]


_Form = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
_NAMED_TUPLE: _Form = ("named tuple", _named_to_plain, lambda v: named_tuple(*v))
_FORMS: dict[type, _Form] = {
    dict: ("dict", _pairs, lambda pairs: dict(map(tuple, pairs))),
    OrderedDict: ("ordered dict", _pairs, lambda pairs: OrderedDict(map(tuple, pairs))),
    Counter: ("counter", _pairs, lambda pairs: Counter(dict(map(tuple, pairs)))),
    defaultdict: ("default dict", _default_to_plain, _plain_to_default),
    deque: ("deque", lambda d: [d.maxlen, list(d)], lambda v: deque(v[1], maxlen=v[0])),
    set: ("set", list, set),
    frozenset: ("frozen set", list, frozenset),
    bytes: ("bytes", list, bytes),
    bytearray: ("byte array", _memory, lambda memory: bytearray(_content(memory))),
    array: (
        "numbers",
        lambda a: [a.typecode, _memory(a.tobytes())],
        lambda v: array(v[0], _content(v[1])),
    ),
    Enum: ("member", _member_to_plain, lambda v: member(*v)),
    timedelta: ("interval", lambda t: [t.days, t.seconds, t.microseconds], lambda v: timedelta(*v)),
    complex: ("complex", lambda c: [c.real, c.imag], lambda v: complex(*v)),
    torch.Size: ("size", list, torch.Size),
    np.ndarray: ("array", _array_to_plain, _plain_to_array),
    np.generic: (
        "item",
        lambda v: _array_to_plain(np.asarray(v)),
        lambda v: _plain_to_array(v)[()],
    ),
    torch.Generator: (
        "torch generator",
        lambda g: [str(g.device), g.get_state()],
        _plain_to_torch_generator,
    ),
    np.random.Generator: (
        "numpy generator",
        lambda g: g.bit_generator.state,
        _plain_to_generator,
    ),
    np.random.RandomState: ("random state", lambda g: g.get_state(), _plain_to_random_state),
    random.Random: ("python generator", _python_to_plain, _plain_to_python),
}
