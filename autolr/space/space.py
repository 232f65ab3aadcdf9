"""A space: its domains by name, the points that it has, and how a trial suggests one."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from autolr.errors import SpaceError, unknown_name
from autolr.names import is_config_path, meaning
from autolr.space.domains import (
    Choice,
    Conditions,
    Domain,
    Range,
    Scalar,
    Value,
    long_form,
    parse_domain,
)

_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_LONGEST = 500  # characters of a name: Optuna's tables hold 512
_ABSENT = object()  # equals no value, not even None


class Trial(Protocol):
    """The three methods of `optuna.Trial` that a space needs."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return a number in [low, high].

        Args:
            name: Of the parameter.
            low: Smallest value.
            high: Largest value.
            log: Whether the number is drawn evenly in its logarithm.
        """

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """Return a whole number in [low, high].

        Args:
            name: Of the parameter.
            low: Smallest value.
            high: Largest value.
            log: Whether the number is drawn evenly in its logarithm.
        """

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return one of ``choices``.

        Args:
            name: Of the parameter.
            choices: The `Choice.labels` of all values, in the order of the space.
        """


@dataclass(frozen=True, slots=True)
class Space:
    """Named domains, in the order in which they are suggested.

    Args:
        parameters: (name, domain) pairs. A parameter follows those that its ``when`` names; else
            the order is kept. ``==`` compares it, since a sampler's draws depend on the order.
        own: The plain names that are the user's own, as dotted ones are.

    Raises:
        SpaceError: If there is no parameter, a name is malformed or repeated, or a ``when`` names
            itself, an unknown parameter, a range or a value that the parent cannot take, or
            conditions form a cycle.
    """

    parameters: tuple[tuple[str, Domain], ...]
    own: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpaceError("a space needs at least one parameter, such as lr, got none")
        for name in (names := [name for name, _ in self.parameters]):
            if not (_is_name(name) and names.count(name) == 1):
                expected = "unique and look like lr or model.init_args.width"
                raise SpaceError.of("a parameter's name", name, expected)
        _check_conditions(self.domains)
        object.__setattr__(self, "parameters", tuple(_ordered(self.domains)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of suggestion."""
        return tuple(name for name, _ in self.parameters)

    @property
    def paths(self) -> tuple[str, ...]:
        """The names that are the user's own: paths into the config, and plain names."""
        return tuple(name for name in self.names if name in self.own or is_config_path(name))

    @property
    def domains(self) -> dict[str, Domain]:
        """A new mapping from names to domains."""
        return dict(self.parameters)

    @property
    def size(self) -> int | None:
        """How many different points there are; None if a range is continuous."""
        if any(isinstance(domain, Range) and not domain.integer for _, domain in self.parameters):
            return None
        return _count(self.parameters, {})

    def points(self) -> Iterator[dict[str, Value]]:
        """Yield every point of a space whose ranges are all of whole numbers, in a fixed order."""
        yield from _extended(self.parameters, {})

    def active(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Return the names that exist under ``values``: those that a complete point has.

        Parameters whose parent does not exist, or has no value yet, do not exist.
        """
        return tuple(self._walk(lambda name, _: values.get(name, _ABSENT)))

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Return a point that the trial suggests; it has only the parameters that exist there.

        Peaks on which no other parameter depends are drawn last: where a good one lies depends on
        the profile.
        """
        parents = {parent for _, domain in self.parameters for parent, _ in domain.when}
        last = [name for name in self.names if meaning(name) == "lr" and name not in parents]
        order = sorted(self.parameters, key=lambda parameter: parameter[0] in last)
        values = self._walk(lambda name, domain: _suggest(name, domain, trial), order)
        return {name: values[name] for name in self.names if name in values}

    def unlabelled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as a study stores them with lists and mappings in place of their JSON.

        Args:
            params: By name; what the space does not have stays.
        """
        return {name: _unlabelled(self.domains.get(name), held) for name, held in params.items()}

    def _walk(
        self,
        value_of: Callable[[str, Domain], _T],
        parameters: Sequence[tuple[str, Domain]] | None = None,
    ) -> dict[str, _T]:
        values: dict[str, _T] = {}
        for name, domain in parameters or self.parameters:
            if _holds(domain.when, values):
                values[name] = value_of(name, domain)
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return the long form, plain JSON; short and long forms of a space give the same."""
        return {name: long_form(domain) for name, domain in self.parameters}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Space":
        """Return the space that `to_dict` wrote."""
        return parse_space(mapping, source="stored space")


def parse_space(mapping: object, source: str = "space") -> Space:
    """Return the space that ``mapping`` describes.

    Args:
        mapping: Names and domains, as described at the top of `autolr.space`.
        source: Where it comes from; starts every error message.

    Raises:
        SpaceError: If it is not a mapping, or an entry cannot work: one line with source and entry.
    """
    if not isinstance(mapping, Mapping):
        raise SpaceError.of(f"{source}: a space", mapping, "a mapping from names to domains")
    domains: list[tuple[str, Domain]] = []
    for name, value in mapping.items():
        try:
            domains.append((name, parse_domain(name, value)))
        except SpaceError as error:
            raise SpaceError(f"{source}: {name}: {error}") from None
    try:
        return Space(tuple(domains))
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from None


def _is_name(name: object) -> bool:
    """Return whether a parameter may have this name."""
    return isinstance(name, str) and len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def _check_conditions(domains: Mapping[str, Domain]) -> None:
    """Refuse a condition that can never hold."""
    for name, domain in domains.items():
        for parent, allowed in domain.when:
            if parent == name or parent not in domains:
                others = [other for other in domains if other != name]
                raise SpaceError(f"{name}: when: {unknown_name('parent', parent, others)}")
            options = getattr(domains[parent], "options", None)
            if options is None:
                raise SpaceError(f"{name}: when must name a choice, got {parent!r}, a range")
            for value in allowed:
                if value not in options:
                    raise SpaceError(f"{name}: when: {unknown_name(f'{parent}', value, options)}")


def _ordered(domains: dict[str, Domain]) -> Iterator[tuple[str, Domain]]:
    """Yield parents before children, otherwise in the order of the mapping."""
    while domains:
        ready = (n for n, d in domains.items() if not any(p in domains for p, _ in d.when))
        if (name := next(ready, None)) is None:
            raise SpaceError(f"{', '.join(domains)}: when must not form a cycle, got one")
        yield name, domains.pop(name)


def _holds(when: Conditions, values: Mapping[str, object]) -> bool:
    return all(values.get(parent, _ABSENT) in allowed for parent, allowed in when)


def _unlabelled(domain: Domain | None, held: Any) -> Any:
    if isinstance(domain, Choice) and held in domain.labels:
        return domain.options[domain.labels.index(held)]
    return held


def _suggest(name: str, domain: Domain, trial: Trial) -> Value:
    if isinstance(domain, Choice):
        labels = domain.labels
        return domain.options[labels.index(trial.suggest_categorical(name, labels))]
    if domain.integer:
        return trial.suggest_int(name, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)


def _count(parameters: Sequence[tuple[str, Domain]], values: dict[str, Value]) -> int:
    """Return the number of points of ``parameters`` under the ``values`` of their parents."""
    if not parameters:
        return 1
    (name, domain), *rest = parameters
    if not _holds(domain.when, values):
        return _count(rest, values)
    if isinstance(domain, Range):
        return int(domain.high - domain.low + 1) * _count(rest, values)
    if not any(name in dict(child.when) for _, child in rest):
        return len(domain.options) * _count(rest, values)
    return sum(_count(rest, {**values, name: option}) for option in domain.options)


def _extended(
    parameters: Sequence[tuple[str, Domain]], values: dict[str, Value]
) -> Iterator[dict[str, Value]]:
    """Yield each point that begins with ``values`` and continues with ``parameters``."""
    if not parameters:
        yield values
        return
    (name, domain), *rest = parameters
    if not _holds(domain.when, values):
        yield from _extended(rest, values)
        return
    options: Sequence[Value] = (
        domain.options
        if isinstance(domain, Choice)
        else range(int(domain.low), int(domain.high) + 1)
    )
    for value in options:
        yield from _extended(rest, {**values, name: value})
