"""Closures that keep the batch they were made for.

``lambda: loss_fn(model(batch))`` reads ``batch`` when it is called: in a loop that is the batch
of then. A closure is kept for the last batches together with what it refers to now.

>>> batch = 1
>>> closure = lambda: batch
>>> kept = bound(closure, captured(closure))
>>> batch = 2
>>> closure(), kept()
(2, 1)
"""

from collections.abc import Callable, Iterator, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

_OF_EVERY_MODULE = ("__builtins__", "__name__")


def captured(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the objects that a function refers to from around it, by name.

    Args:
        function: A lambda or function; of anything else, such as a method, nothing is known.
    """
    if not isinstance(function, FunctionType):
        return {}
    values = function.__globals__
    names = [*_globals_of(function.__code__), *_OF_EVERY_MODULE]
    around = {name: values[name] for name in names if name in values}
    return around | {name: cell.cell_contents for name, cell in _cells(function) if _is_set(cell)}


def bound(function: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function with other objects around it.

    Args:
        function: See `captured`; anything else is returned as it is.
        values: By name; what has none stays as it is.
    """
    if not isinstance(function, FunctionType):
        return function
    cells = tuple(
        CellType(values[name]) if name in values else cell for name, cell in _cells(function)
    )
    own = {**captured(function), **values}
    made = FunctionType(
        function.__code__, own, function.__name__, function.__defaults__, cells or None
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _cells(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def _is_set(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a variable that has no value yet
        return False


def _globals_of(code: CodeType) -> Iterator[str]:
    """Yield the global names of a function's code, and of functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)
