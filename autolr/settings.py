"""Annotations of settings, such as `Share`, and the checks that they stand for."""

import math
import numbers
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeAlias, Union, cast, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from autolr.errors import ConfigError
from autolr.quoting import quoted

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | None"  # hashable, and JSON


class Constraint(Protocol):
    """The values that a setting accepts."""

    @property
    def expected(self) -> str:
        """A description of these values for an error message."""

    def read(self, value: object) -> Value:
        """Return the value in its stored form; raise ValueError if it is not accepted."""


@dataclass(frozen=True, slots=True)
class Real(Constraint):
    """A finite number between ``low`` and ``high``; ``open`` says which ends are excluded."""

    low: float = 0.0
    high: float = math.inf
    open: Literal["", "low", "high", "both"] = ""

    @property
    @override
    def expected(self) -> str:
        if math.isinf(self.low):
            return "a finite number"
        if math.isinf(self.high):
            return f"a number {'above' if self._open('low') else 'of at least'} {self.low:g}"
        left, right = "(" if self._open("low") else "[", ")" if self._open("high") else "]"
        return f"a number within {left}{self.low:g}, {self.high:g}{right}"

    @override
    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ValueError
        try:
            number = float(value)
        except OverflowError:
            raise ValueError from None
        above = number > self.low if self._open("low") else number >= self.low
        below = number < self.high if self._open("high") else number <= self.high
        if not (above and below and math.isfinite(number)):
            raise ValueError
        return number

    def _open(self, end: str) -> bool:
        return self.open in (end, "both")


@dataclass(frozen=True, slots=True)
class Integer(Constraint):
    """A whole number of at least ``low``."""

    low: int = 1

    @property
    @override
    def expected(self) -> str:
        return f"a whole number of at least {self.low}"

    @override
    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < self.low:
            raise ValueError
        return int(value)


@dataclass(frozen=True, slots=True)
class OneOf(Constraint):
    """One of a few values of the same type, as in a Literal."""

    choices: tuple[str | bool, ...]

    @property
    @override
    def expected(self) -> str:
        return f"one of {', '.join(map(repr, self.choices))}"

    @override
    def read(self, value: object) -> str | bool:
        if not isinstance(value, type(self.choices[0])) or value not in self.choices:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Maybe(Constraint):
    """None, or a value that ``check`` accepts."""

    check: Constraint

    @property
    @override
    def expected(self) -> str:
        return f"{self.check.expected}, or None"

    @override
    def read(self, value: object) -> Value:
        return None if value is None else self.check.read(value)


@dataclass(frozen=True, slots=True)
class Several(Constraint):
    """A sequence of at least ``low`` items.

    With ``rising``, each item (its first member) is larger than the one before.
    """

    items: tuple[Constraint, ...]  # the members of an item; a single one is stored bare
    low: int = 1
    rising: bool = False
    words: str = "numbers"

    @property
    @override
    def expected(self) -> str:
        order = " in rising order" if self.rising else ""
        members = ", ".join(check.expected for check in self.items)
        return f"at least {self.low} {self.words}{order}, each {members}"

    @override
    def read(self, value: object) -> tuple[Value, ...]:
        read = tuple(self._item(item) for item in _sequence(value))
        keys = np.array([item[0] if isinstance(item, tuple) else item for item in read])
        if len(read) < self.low or (self.rising and not (np.diff(keys) > 0).all()):
            raise ValueError
        return read

    def _item(self, item: object) -> Value:
        if len(self.items) == 1:
            return self.items[0].read(item)
        members = zip(self.items, _sequence(item), strict=True)
        return tuple(check.read(member) for check, member in members)


def _sequence(value: object) -> Sequence[object]:
    if hasattr(type(value), "tolist"):  # arrays, and tensors without an import of torch
        value = cast("Any", value).tolist()
    if not isinstance(value, list | tuple):
        raise ValueError
    return value


_LONGEST = 100  # characters of a value in a message: a table of numbers would fill the screen

Array: TypeAlias = NDArray[np.float64]

Share = Annotated[float, Real(0, 1)]
Beta = Annotated[float, Real(0, 1, open="high")]  # share of an average that stays
Positive = Annotated[float, Real(0, open="low")]
NotNegative = Annotated[float, Real(0)]
Finite = Annotated[float, Real(-math.inf)]
Count = Annotated[int, Integer(1)]
# Lengths; the last word sets them apart from numbers with the same check.
Pace = Annotated[float, Real(0, open="low"), "length"]  # below 1 a share, from 1 on steps
Span = Annotated[
    float | None, Maybe(Real(0)), "length"
]  # None the rest, up to 1 a share, above steps
Table: TypeAlias = Annotated[Sequence[float] | Array, Several((Real(0),))]


def check_of(annotation: object) -> Constraint:
    """Return the check that a setting's annotation stands for."""
    if get_origin(annotation) is Annotated:
        check: Constraint = get_args(annotation)[1]
        return check
    if get_origin(annotation) is Literal:
        return OneOf(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        inner, _ = get_args(annotation)  # `X | None`
        return Maybe(check_of(inner))
    if annotation is bool:
        return OneOf((False, True))
    raise TypeError(f"no check is known for the annotation {annotation!r}")


def read_number(name: str, check: Constraint, value: object) -> float:
    """Return a number as a float: those of NumPy too, which other libraries would print as such.

    Args:
        name: The setting.
        check: A `Real`.
        value: The user's value.

    Raises:
        ConfigError: If the check does not accept it.
    """
    number = read_setting(name, check, value)
    assert isinstance(number, float)
    return number


def read_whole(name: str, value: object, least: int = 1) -> int:
    """Return a whole number as an int: those of NumPy too.

    Args:
        name: The setting.
        value: The user's value.
        least: The smallest number that is accepted.

    Raises:
        ConfigError: If it is another value.
    """
    number = read_setting(name, Integer(least), value)
    assert isinstance(number, int)
    return number


def read_setting(name: str, check: Constraint, value: object) -> Value:
    """Return ``value`` in its stored form.

    Args:
        name: The setting.
        check: What it accepts.
        value: The user's value.

    Raises:
        ConfigError: If the check does not accept it.
    """
    try:
        return check.read(value)
    except ValueError:
        got = quoted(value, _LONGEST)
        raise ConfigError(f"{name} must be {check.expected}, got {got}") from None
