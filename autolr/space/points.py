"""Points of a space: those that a user names, and how far two are apart."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeGuard

from autolr.errors import SpaceError, unknown_name
from autolr.predicates import is_number
from autolr.space.domains import Domain, Range, Value, parse_value
from autolr.space.space import Space

Point = Mapping[str, Value]


def parse_points(space: Space, given: Sequence[object], source: str) -> tuple[Point, ...]:
    """Return points, each with values of some or all parameters of a space, as trials have them.

    Args:
        space: The space.
        given: Mappings from names to values.
        source: Where they come from; starts every error message.

    Raises:
        SpaceError: If one is no mapping, names an unknown parameter, has a value out of its domain,
            or a parameter whose ``when`` does not hold in it.
    """
    return tuple(_parsed(space, point, f"{source}.{index}") for index, point in enumerate(given))


def within(space: Space, given: Mapping[str, object]) -> Point:
    """Return those of some values that the space has.

    Args:
        space: The space.
        given: Values by parameter; others are left out.
    """
    point: dict[str, Value] = {}
    for name, domain in space.domains.items():
        if name in given:
            with suppress(SpaceError):
                point[name] = parse_value(name, domain, given[name])
    return point


def nearest(space: Space, wanted: Point, fits: Callable[[Point], bool]) -> dict[str, Value] | None:
    """Return the point of a finite space that is nearest to ``wanted`` among those that fit.

    A parameter that only one of two points has is as far as it can be, 1; so are two words. Numbers
    are as far as their places in their range, on its scale, or in the sorted list of choices.
    Distances of parameters add up; of equally near points the first one counts.

    Args:
        space: The space.
        wanted: One of its points.
        fits: Whether a point may be returned.
    """
    domains = space.domains
    ordered = sorted(space.points(), key=lambda point: distance(domains, wanted, point))
    return next(filter(fits, ordered), None)


def distance(domains: Mapping[str, Domain], one: Point, other: Point) -> float:
    """Return how far two points of a space are apart; see `nearest`.

    Args:
        domains: Of the space, by name.
        one: A point.
        other: Another one.
    """
    shared = one.keys() & other.keys()
    apart = len(one.keys() ^ other.keys())
    steps = (_apart(domains[name], one[name], other[name]) for name in sorted(shared))
    return apart + sum(steps)


def _parsed(space: Space, given: object, source: str) -> Point:
    if not isinstance(given, Mapping) or not given:
        raise SpaceError.of(source, given, "a mapping from parameters to values")
    domains = space.domains
    try:
        for name in given:
            if name not in domains:
                raise SpaceError(unknown_name("parameter", name, domains))
        point = {n: parse_value(n, d, given[n]) for n, d in domains.items() if n in given}
        for name in point:
            _check_exists(name, domains[name], point)
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from None
    return point


def _check_exists(name: str, domain: Domain, point: Point) -> None:
    for parent, allowed in domain.when:
        if parent not in point or point[parent] not in allowed:
            wanted = " or ".join(map(str, allowed))
            got = f"got {point[parent]}" if parent in point else f"so give {parent} too"
            raise SpaceError(f"{name} exists only where {parent} is {wanted}, {got}")


def _apart(domain: Domain, one: Value, other: Value) -> float:
    if one == other:
        return 0.0
    if isinstance(domain, Range):
        return abs(_place(domain, one) - _place(domain, other))
    if not _are_numbers(domain.options):
        return 1.0
    places = sorted(domain.options)
    return abs(places.index(one) - places.index(other)) / (len(places) - 1)  # type: ignore[arg-type]


def _place(domain: Range, value: Any) -> float:
    scale: Callable[[float], float] = math.log if domain.log else float
    low, high = scale(domain.low), scale(domain.high)
    return (scale(float(value or 0)) - low) / (high - low)


def _are_numbers(options: Sequence[Value]) -> TypeGuard[Sequence[float]]:
    return all(map(is_number, options))
