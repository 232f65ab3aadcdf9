"""A space that grew since its study began: more choices, wider ranges.

>>> from autolr.space import parse_space
>>> old = parse_space({"lr": {"low": 0.01, "high": 0.1}, "schedule": ["linear", "wsd"]})
>>> new = parse_space({"lr": {"low": 0.01, "high": 1.0}, "schedule": ["rex", "wsd", "linear"]})
>>> grown(old, new).domains["schedule"].options
('linear', 'wsd', 'rex')
>>> widened(old, new)
('lr', 'schedule')
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from autolr.quoting import quoted, shortened
from autolr.space.domains import Choice, Conditions, Domain, Range, Value, long_form
from autolr.space.space import Space

_LONGEST = 80  # characters of the choices in a message


def grown(old: Space, new: Space) -> Space:
    """Return the new space; the choices of the old one keep their places, and new ones follow.

    A study stores a choice as its place in this list, which only grows.

    Args:
        old: The space of a study, as stored.
        new: The space with which it continues.
    """
    before = old.domains
    ordered = tuple((name, _ordered(before.get(name), now)) for name, now in new.parameters)
    return replace(new, parameters=ordered)


def accepted(old: Space, new: Space) -> dict[str, Any]:
    """Return the long form of the old space, in which what only grew is as in the new one.

    It equals that of the new space if that has every point of the old one.

    Args:
        old: The space of a study, as stored.
        new: The space with which it would continue, from `grown`.
    """
    now = new.domains
    result = {name: long_form(domain) for name, domain in old.parameters}
    for name, domain in old.parameters:
        if name in now and _covers(now[name], domain, old):
            result[name] = long_form(now[name])
    added = {name: long_form(domain) for name, domain in _added(old, new)}
    return result | added


def widened(old: Space, new: Space) -> tuple[str, ...]:
    """Return the names of the parameters whose domains are not those of the old space.

    Args:
        old: The space of a study, as stored.
        new: The space with which it continues, from `grown`.
    """
    before = old.domains
    return tuple(name for name, domain in new.parameters if before.get(name) != domain)


def lost(name: str, before: Domain, now: Domain) -> str | None:
    """Return what a parameter could be and no longer can, in words; None: nothing.

    Args:
        name: The parameter.
        before: Its domain.
        now: The domain that takes its place.

    >>> lost("width", Choice((8, 16, 32)), Choice((16, 64)))
    'the choices 8 and 32 of width are gone'
    >>> lost("lr", Range(0.01, 1.0), Range(0.1, 1.0))
    'lr was from 0.01 to 1 and is from 0.1 to 1'
    """
    if isinstance(before, Choice) and isinstance(now, Choice):
        gone = [option for option in before.options if option not in now.options]
        if len(gone) > 1:
            return f"the choices {_listed(gone)} of {name} are gone"
        return f"the choice {_listed(gone)} of {name} is gone" if gone else None
    both = isinstance(before, Range) and isinstance(now, Range)
    if both and now.low <= before.low and before.high <= now.high:  # type: ignore[union-attr]
        return None
    return f"{name} was {_words(before)} and is {_words(now)}"


def _words(domain: Domain) -> str:
    if isinstance(domain, Range):
        return f"from {domain.low:g} to {domain.high:g}"
    return (
        f"one of {_listed(domain.options)}" if len(domain.options) > 1 else _listed(domain.options)
    )


def _listed(options: Sequence[Value]) -> str:
    *others, last = (quoted(option, _LONGEST) for option in options)
    return shortened(f"{', '.join(others)} and {last}" if others else last, _LONGEST)


def _ordered(before: Domain | None, now: Domain) -> Domain:
    if not (isinstance(before, Choice) and isinstance(now, Choice)):
        return now
    if any(option not in now.options for option in before.options):
        return now
    fresh = (option for option in now.options if option not in before.options)
    return replace(now, options=(*before.options, *fresh))


def _covers(now: Domain, before: Domain, old: Space) -> bool:
    """Return whether a domain has all values that it had, and exists in the old points as then."""
    if _binding(now.when, old) != _binding(before.when, old):
        return False
    if isinstance(now, Range) and isinstance(before, Range):
        kind = (now.log, now.integer) == (before.log, before.integer)
        return kind and now.low <= before.low and before.high <= now.high
    both = isinstance(now, Choice) and isinstance(before, Choice)
    return both and all(option in now.options for option in before.options)  # type: ignore[union-attr]


def _added(old: Space, new: Space) -> Iterator[tuple[str, Domain]]:
    """Yield the new parameters that no point of the old space could have."""
    absent: set[str] = set()
    for name, domain in new.parameters:  # parents before children
        if name in old.domains:
            continue
        met = _binding(domain.when, old)
        if any(parent in absent for parent in dict(domain.when)) or () in met.values():
            absent.add(name)
            yield name, domain


def _binding(when: Conditions, old: Space) -> Mapping[str, tuple[Value, ...]]:
    """Return which conditions bind, of the values that the old space could take."""
    result: dict[str, tuple[Value, ...]] = {}
    for parent, allowed in when:
        domain = old.domains.get(parent)
        options = domain.options if isinstance(domain, Choice) else None
        if options is None:
            result[parent] = allowed
            continue
        met = tuple(option for option in options if option in allowed)
        if met != options or domain.when:  # type: ignore[union-attr]
            result[parent] = met
    return result
