"""The registry of the kinds of schedule, with their formulas and settings."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autolr.errors import ConfigError, unknown_name
from autolr.settings import Array, Value, check_of, read_setting

if TYPE_CHECKING:
    from autolr.schedules.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind: a profile, a recipe (it builds others and has no formula) or an operator.

    Attributes:
        kind: Its name.
        parameters: Its settings, annotated with their checks.
        formula: ``f(k, n, **settings)``, of an operator ``f(parts, k, n, **settings)``.
        parts: The least and the most schedules that it is made of.
        make: The public constructor; operators have none.
    """

    kind: str
    parameters: Mapping[str, inspect.Parameter]
    formula: Callable[..., Array] | None
    parts: tuple[int, float] = (0, 0)
    make: Callable[..., "Schedule"] | None = None

    @property
    def module(self) -> str:
        """The module in which it is defined."""
        return (self.make or self.formula).__module__

    def read(self, settings: Mapping[str, object]) -> dict[str, Value]:
        """Return all settings in their stored form, defaults included.

        Raises:
            ConfigError: If one is unknown, missing, or has a value outside its range.
        """
        unknown = [name for name in settings if name not in self.parameters]
        if unknown:
            takes = ", ".join(self.parameters) or "none"
            raise ConfigError(f"{self.kind} has no setting {unknown[0]!r}; it takes: {takes}")
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            value = settings.get(name, parameter.default)
            if value is inspect.Parameter.empty:
                raise ConfigError(f"{self.kind} needs the setting {name!r}")
            check = check_of(parameter.annotation)
            values[name] = read_setting(f"{name} of {self.kind}", check, value)
        return values


_ENTRIES: dict[str, Entry] = {}


def register(entry: Entry) -> None:
    """Register a kind. A formula that is defined again, as in a notebook, replaces its older self.

    Raises:
        TypeError: If another kind has the name.
    """
    before = _ENTRIES.get(entry.kind)
    if before is not None and before.module != entry.module:
        raise TypeError(f"two kinds of schedule are called {entry.kind!r}")
    _ENTRIES[entry.kind] = entry


def find(kind: str) -> Entry:
    """Return the entry of a kind.

    Raises:
        ConfigError: If no kind has that name.
    """
    if kind not in _ENTRIES:
        raise ConfigError(unknown_name("schedule", kind, names()))
    return _ENTRIES[kind]


def names() -> list[str]:
    """Return the names of all profiles and recipes, sorted.

    >>> names()[:3]
    ['clr', 'constant', 'cooldown']
    """
    return sorted(kind for kind, entry in _ENTRIES.items() if entry.make)


def settings_of(name: str) -> Mapping[str, inspect.Parameter]:
    """Return the settings that the profile or recipe ``name`` takes.

    The annotations hold the checks of `autolr.settings`.

    Raises:
        ConfigError: If no profile has that name.

    >>> {name: setting.default for name, setting in settings_of("cosine").items()}
    {'final': 0.0, 'exponent': 1.0}
    """
    if name not in names():
        raise ConfigError(unknown_name("schedule", name, names()))
    return find(name).parameters


def formula_settings(formula: Callable[..., Any], skip: int) -> Mapping[str, inspect.Parameter]:
    """Return the settings of a formula.

    Args:
        formula: Its parameters are annotated with the types of `autolr.settings`.
        skip: How many of its first parameters are no settings.

    Raises:
        TypeError: If an annotation has no check.
    """
    settings = dict(list(inspect.signature(formula).parameters.items())[skip:])
    for parameter in settings.values():
        check_of(parameter.annotation)
    return MappingProxyType(settings)
