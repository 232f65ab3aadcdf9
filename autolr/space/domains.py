"""Domains: the values that one parameter of a search space may take, parsed and written."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from autolr.errors import SpaceError, unknown_name
from autolr.names import meaning
from autolr.predicates import is_number
from autolr.quoting import quoted

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Scalar | list[Any] | dict[str, Any]
Conditions: TypeAlias = tuple[tuple[str, tuple[Value, ...]], ...]  # (parent, its values): all hold

_LARGEST = 2**53  # above it, floats do not represent every whole number
_KEYS = ("low", "high", "log", "type", "choices", "when")


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from ``low`` to ``high``, both included.

    Args:
        low: The lower end; above 0 with ``log``.
        high: The upper end; above ``low``.
        log: Whether values are drawn uniformly on a log scale.
        integer: Whether only whole numbers are drawn.
        when: The values of other parameters under which this one exists.

    Raises:
        SpaceError: If an end is not a finite number, or one of these does not hold.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False
    when: Conditions = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", _number("low", self.low, self.integer))
        object.__setattr__(self, "high", _number("high", self.high, self.integer))
        if self.low >= self.high:
            raise SpaceError.of("low", self.low, f"less than high, {self.high}")
        if not math.isfinite(self.high - self.low):
            raise SpaceError.of("high", self.high, f"closer to low, {self.low}")
        if self.log and self.low <= 0:
            raise SpaceError.of("low", self.low, "above 0 with log: true")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, or a fixed one: scalars, or lists and mappings of them.

    Raises:
        SpaceError: If there is no option, or two are equal (as 1, 1.0 and True are).
    """

    options: tuple[Value, ...]
    when: Conditions = ()

    def __post_init__(self) -> None:
        if not self.options:
            raise SpaceError.of("choices", [], "a list of at least one value")
        for index, option in enumerate(self.options):
            if not _is_plain(option):
                expected = "a finite number, a string, a bool, null, or a list or mapping of them"
                raise SpaceError.of("a choice", option, expected)
            if option in self.options[:index] or label(option) in self.labels[:index]:
                raise SpaceError(f"choices must all differ, got {quoted(option)} twice")

    @property
    def labels(self) -> tuple[Scalar, ...]:
        """The options as a study stores them: a list or a mapping is its JSON text."""
        return tuple(map(label, self.options))


Domain: TypeAlias = Range | Choice


def parse_domain(name: str, value: Any) -> Domain:
    """Return the domain that ``value`` describes.

    Args:
        name: The parameter; strings such as "1e-4" are numbers under ``lr``.
        value: The short form (a list or a scalar) or the long form (a mapping).

    Raises:
        SpaceError: If it is malformed; the caller adds ``name`` to the message.
    """
    form = value if isinstance(value, Mapping) else {"choices": value}
    for key in form:
        if key not in _KEYS:
            raise SpaceError(unknown_name("key", key, _KEYS))
    when = tuple(_conditions(form["when"])) if "when" in form else ()
    if "choices" in form:
        if excess := form.keys() - {"choices", "when"}:
            raise SpaceError(f"choices cannot be combined with {min(excess)}")
        options = _as_tuple(form["choices"])
        is_rate = meaning(str(name)) == "lr"
        return Choice(tuple(map(_rate, options)) if is_rate else options, when)
    if not {"low", "high"} <= form.keys():
        raise SpaceError.of("a range", dict(form), "given with low and high (or choices)")
    log, kind = form.get("log", False), form.get("type", "float")
    if not isinstance(log, bool):
        raise SpaceError.of("log", log, "true or false")
    if kind not in ("int", "float"):
        raise SpaceError.of("type", kind, "int or float")
    return Range(form["low"], form["high"], log, kind == "int", when)


def check_no_pairs(mapping: Mapping[Any, Any]) -> None:
    """Refuse a tuple of two numbers in a space: it may be meant as a range, or as two choices.

    Args:
        mapping: The space as it is written in Python; YAML has no tuples.

    Raises:
        SpaceError: If there is one; the message has both spellings.
    """
    for name, value in mapping.items():
        if not (isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value))):
            continue
        form: dict[str, Any] = {"low": min(value), "high": max(value)}
        if meaning(str(name)) == "lr":
            form["log"] = True
        elif all(isinstance(end, int) for end in value):
            form["type"] = "int"
        expected = f"a range, {form}, or a list of choices, {list(value)}"
        raise SpaceError.of(f"space: {name}", value, expected)


def long_form(domain: Domain) -> dict[str, Any]:
    """Return the long form, plain JSON, which `parse_domain` reads."""
    when = {parent: list(values) for parent, values in domain.when}
    end: dict[str, Any] = {"when": when} if when else {}
    if isinstance(domain, Choice):
        return {"choices": list(domain.options)} | end
    kind = "int" if domain.integer else "float"
    return {"low": domain.low, "high": domain.high, "log": domain.log, "type": kind} | end


def parse_value(name: str, domain: Domain, value: object) -> Value:
    """Return a value of a domain as trials have it, from the user's text for it.

    Args:
        name: The parameter; strings such as "1e-4" are numbers under ``lr`` and in ranges.
        domain: Its domain.
        value: What the user gave.

    Raises:
        SpaceError: If the domain does not have it.
    """
    if isinstance(domain, Choice):
        wanted = _rate(value) if meaning(name) == "lr" else value  # type: ignore[arg-type]
        for option in domain.options:
            if option == wanted and isinstance(option, bool) == isinstance(wanted, bool):
                return option
        raise SpaceError.of(name, value, f"one of {', '.join(map(str, domain.options))}")
    number = _number(name, value, domain.integer)
    if not domain.low <= number <= domain.high:
        raise SpaceError.of(name, value, f"within [{domain.low:g}, {domain.high:g}]")
    return number


def _conditions(form: object) -> Iterator[tuple[str, tuple[Value, ...]]]:
    if not isinstance(form, Mapping) or not form:
        raise SpaceError.of("when", form, "a mapping such as {schedule: wsd}")
    for parent, values in form.items():
        if not (allowed := _as_tuple(values)):
            raise SpaceError.of(f"when: {parent}", values, "a value or a list of at least one")
        yield parent, allowed


def _is_plain(option: object) -> bool:
    """Return whether YAML and JSON have the value, and it is finite."""
    if isinstance(option, list):
        return all(map(_is_plain, option))
    if isinstance(option, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in option.items())
    return isinstance(option, Scalar) and (not isinstance(option, float) or math.isfinite(option))


def label(option: Value) -> Scalar:
    """Return an option as a study stores it: a list or a mapping is its JSON text."""
    return json.dumps(option, sort_keys=True) if isinstance(option, list | dict) else option


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _rate(value: Value) -> Value:
    """Return "1e-4", a string in YAML 1.1, as a number; other strings unchanged."""
    with suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


def _number(key: str, value: object, integer: bool) -> float:
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise SpaceError.of(key, value, "a finite number")
    if integer and not (number.is_integer() and abs(number) <= _LARGEST):
        large = f" of at most {_LARGEST}" if abs(number) > _LARGEST else ""
        expected = f"a whole number{large} with type: int"
        raise SpaceError.of(key, value, expected)
    return int(number) if integer else number
