"""A schedule as a Python expression, for people, and as plain data, and back."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autolr.counted import counted
from autolr.errors import ConfigError
from autolr.schedules.registry import find
from autolr.settings import Pace, Span, Value

if TYPE_CHECKING:
    from autolr.schedules.schedule import Schedule

_INFIX = {"chain": " | ", "product": " * "}
_SUFFIX = {"scale": " * {}", "power": " ** {}", "floor": ".floor({})", "every": ".every({})"}
_REBUILD: dict[str, Callable[..., "Schedule"]] = {
    "chain": lambda *parts: functools.reduce(operator.or_, parts),
    "product": lambda *parts: functools.reduce(operator.mul, parts),
    "scale": lambda part, by: part * by,
    "power": lambda part, exponent: part**exponent,
    "floor": lambda part, level: part.floor(level),
    "every": lambda part, pace: part.every(pace),
}


def expression(schedule: "Schedule", *, units: bool = False) -> str:
    """Return the expression that makes ``schedule`` again.

    Args:
        schedule: The schedule.
        units: Whether lengths have their units, for people: ``8 steps`` and ``40 %``.
    """
    kind, span = schedule.kind, schedule.span
    if kind in _SUFFIX:
        ((name, value),) = schedule.settings
        shown = _shown(value, find(kind).parameters[name].annotation, units=units)
        inner = _operand(_inner(schedule), ("scale", "power"), units=units)
        return inner + _SUFFIX[kind].format(shown)
    if kind in _INFIX:
        loose = ("scale",) if kind == "product" else ()
        parts = (_operand(part, loose, kind, units=units) for part in schedule.parts)
        joined = _INFIX[kind].join(parts)
        over = _shown(span, Span, units=units)
        return joined if span is None else f"({joined}).over({over})"
    return _call(schedule, units=units)


def to_dict(schedule: "Schedule") -> dict[str, Any]:
    """Return ``schedule`` as dicts, lists, strings, numbers and None."""
    settings = {name: _plain(value) for name, value in schedule.settings}
    if schedule.kind in _SUFFIX:
        return {"kind": schedule.kind, **settings, "parts": [to_dict(_inner(schedule))]}
    mapping: dict[str, Any] = {"kind": schedule.kind}
    if schedule.span is not None or "span" in find(schedule.kind).parameters:
        mapping["span"] = schedule.span
    mapping |= settings
    if schedule.parts:
        mapping["parts"] = [to_dict(part) for part in schedule.parts]
    return mapping


def schedule_from(value: object) -> "Schedule":
    """Return the schedule that a name or a mapping describes.

    Raises:
        ConfigError: If a kind or setting is unknown, missing or has a wrong value.
    """
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        raise ConfigError.of("a schedule", value, "a name, or a mapping with the key 'kind'")
    settings = dict(value)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError.of("kind", kind, "the name of a schedule")
    entry = find(kind)
    if "span" in entry.parameters:
        return _make(kind, settings)
    span = settings.pop("span", None)
    schedule = _make(kind, settings)
    return schedule if span is None else schedule.over(span)


def _make(kind: str, settings: dict[Any, object]) -> "Schedule":
    entry = find(kind)
    if entry.make is not None:
        return entry.make(**entry.read(settings))
    parts = settings.pop("parts", ())
    least, most = entry.parts
    if not isinstance(parts, list | tuple) or not least <= len(parts) <= most:
        count = "one schedule" if most == 1 else f"at least {least} schedules"
        raise ConfigError.of(f"parts of {kind}", parts, f"a list of {count}")
    return _REBUILD[kind](*(schedule_from(part) for part in parts), **entry.read(settings))


def _inner(schedule: "Schedule") -> "Schedule":
    """Return the operand of an operator on one schedule, with the span that it had."""
    return replace(schedule.parts[0], span=schedule.span)


def _operand(schedule: "Schedule", loose: Sequence[str], within: str = "", *, units: bool) -> str:
    """Return the text, in parentheses if the operator around it binds tighter."""
    infix = schedule.kind in _INFIX and schedule.span is None
    if schedule.kind in loose or (infix and within != "chain"):
        return f"({expression(schedule, units=units)})"
    return expression(schedule, units=units)


def _call(schedule: "Schedule", *, units: bool) -> str:
    parameters = find(schedule.kind).parameters
    span = _shown(schedule.span, Span, units=units)
    arguments = [span] if "span" in parameters else []
    for name, value in schedule.settings:
        if value != parameters[name].default:
            shown = _shown(value, parameters[name].annotation, units=units)
            arguments.append(f"{name}={shown}")
    over = "" if schedule.span is None or "span" in parameters else f".over({span})"
    return f"{schedule.kind}({', '.join(arguments)}){over}"


def _shown(value: Value, annotation: object, *, units: bool) -> str:
    """Return a setting, with its unit if it is a length and units are wanted."""
    if not units or annotation not in (Span, Pace):
        return repr(value)
    if not isinstance(value, int | float):
        return "the rest"
    if value < 1 or (value == 1 and annotation == Span):
        return f"{100 * value:g} %"
    return counted(value, "step", "g")


def _plain(value: Value) -> object:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
