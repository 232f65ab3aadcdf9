"""How far the points of a space are apart."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from autolr.predicates import is_number
from autolr.space.domains import Domain, Range, Value
from autolr.space.space import Space

Point = Mapping[str, Value]


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


def _apart(domain: Domain, one: Value, other: Value) -> float:
    if one == other:
        return 0.0
    if isinstance(domain, Range):
        return abs(_place(domain, one) - _place(domain, other))
    if not _are_numbers(domain.options):
        return 1.0
    places = sorted(domain.options)
    return abs(places.index(one) - places.index(other)) / (len(places) - 1)  # type: ignore[arg-type]


def _place(domain: Range, value: Value) -> float:
    scale: Callable[[float], float] = math.log if domain.log else float
    low, high = scale(domain.low), scale(domain.high)
    return (scale(float(value or 0)) - low) / (high - low)


def _are_numbers(options: Sequence[Value]) -> TypeGuard[Sequence[float]]:
    return all(map(is_number, options))
