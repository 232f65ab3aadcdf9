"""Whether every point of a search space is a candidate."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autolr import rules, schedules
from autolr.candidate import ONLINE, candidate_of, profile_settings
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.names import OF_NO_PROFILE, is_config_path, meaning
from autolr.space import Choice, Domain, Space


def check_space(
    space: Space,
    source: str = "space",
    *,
    takes_all: bool = False,
    takes: Callable[[str], bool] = lambda name: False,
) -> None:
    """Refuse, before any trial, a space whose points are not all candidates.

    For each rule it checks names, profiles and their settings in full, and values at both ends of
    each range and at each choice.

    Args:
        space: The space.
        source: Where it comes from; starts the error message.
        takes_all: Whether a Python function is tuned: it takes any plain name, and no ``online``.
        takes: Returns whether a plain name that no profile takes is the user's own, without one.

    Raises:
        SpaceError: If a point cannot work; the message names the source and the parameter.
    """
    own = {name: domain for name, domain in space.domains.items() if not is_config_path(name)}
    try:
        cases = list(_cases(space.domains))
        kinds = {case.kind: profile_settings(case.kind) for case in cases}
        if takes_all:
            _check_no_search(own)
        theirs = {name for name in _settings(space, kinds) if takes_all or takes(name)}
        own = {name: domain for name, domain in own.items() if name not in theirs}
        _check_names(own, kinds)
        for case in cases:
            active = {n: d for n, d in own.items() if _possible(n, case.given, space.domains)}
            _check_taken(active, case.kind, kinds)
            for values in _samples(active, case.given):
                _check_point(values, case)
    except ConfigError as error:
        raise SpaceError(f"{source}: {error}") from None


def owned(space: Space) -> Space:
    """Return a checked space that knows which plain names are the user's own.

    Those are the ones that no profile of it takes.
    """
    kinds = {case.kind: profile_settings(case.kind) for case in _cases(space.domains)}
    return replace(space, own=frozenset(_settings(space, kinds)))


def _settings(space: Space, kinds: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    taken = {*OF_NO_PROFILE, *(name for names in kinds.values() for name in names)}
    return tuple(n for n in space.names if not is_config_path(n) and meaning(n) not in taken)


def unregistered(space: Space) -> list[str]:
    """Return the rules and profiles that a space names and that no imported module registers."""
    registered = {"rule": rules.names(), "schedule": schedules.names()}
    return [
        str(option)
        for name, domain in space.domains.items()
        if name == "rule" or meaning(name) == "schedule"
        if isinstance(domain, Choice)
        for option in domain.options
        if option not in registered[meaning(name)]
    ]


@dataclass(frozen=True, slots=True)
class _Case:
    """A rule with a profile.

    ``given`` has the values of the choices that lead to it; None: the choice does not exist.
    """

    rule: str
    kind: str
    given: Mapping[str, str | None]


def _cases(domains: Mapping[str, Domain]) -> Iterator[_Case]:
    for given in _options("rule", domains, {}):
        record = rules.record(given.get("rule") or "fixed")
        possible_name("lr", given, domains)
        name = possible_name("schedule", given, domains)
        for chosen in _options(name, domains, given) if name else (given,):
            yield _Case(record.name, chosen.get(name) or record.schedules[0], chosen)


def _options(
    name: str, domains: Mapping[str, Domain], given: Mapping[str, str | None]
) -> Iterator[Mapping[str, str | None]]:
    """Yield ``given`` with each value of a choice, and with None where it may not exist."""
    domain = domains.get(name)
    if domain is None:
        yield given
        return
    if not isinstance(domain, Choice):
        kind = "rule" if name == "rule" else "profile"
        raise SpaceError.of(name, "a range", f"a {kind}'s name or a list of names")
    for option in domain.options:
        yield {**given, name: str(option)}
    if any(parent not in given for parent, _ in domain.when):
        yield {**given, name: None}


def possible_name(
    meant: str, given: Mapping[str, str | None], domains: Mapping[str, Domain]
) -> str:
    """Return the name under which ``lr`` or ``schedule`` can exist; "" if it cannot.

    Args:
        meant: "lr" or "schedule".
        given: The values of choices; None: the choice does not exist.
        domains: Of the space.

    Raises:
        SpaceError: If several names may exist together.
    """
    labelled = (name for name in domains if meaning(name) == meant)
    possible = [name for name in labelled if _possible(name, given, domains)]
    if len(possible) > 1:
        first, second = possible[:2]
        hint = f"add when: {{rule: [...]}} to {second}, other rules than those of {first}"
        raise SpaceError(f"{first} and {second} may both exist in one candidate; {hint}")
    return possible[0] if possible else ""


def _check_names(domains: Mapping[str, Domain], takes: Mapping[str, Iterable[str]]) -> None:
    settings = {name for names in takes.values() for name in names}
    known = (*OF_NO_PROFILE, *sorted(settings.difference(OF_NO_PROFILE)))
    for name in domains:
        if meaning(name) not in known:
            hint = f"or a path into the config, such as model.init_args.{name}"
            raise SpaceError(f"{unknown_name('parameter', name, known)}, {hint}")


def _check_no_search(domains: Mapping[str, Domain]) -> None:
    for name, domain in domains.items():
        if meaning(name) == "lr" and ONLINE in getattr(domain, "options", ()):
            raise SpaceError.of(name, ONLINE, "a range or numbers: no search runs in a function")


def _check_taken(active: Iterable[str], kind: str, kinds: Iterable[str]) -> None:
    for name in active:
        if meaning(name) not in OF_NO_PROFILE and name not in profile_settings(kind):
            takers = ", ".join(sorted(other for other in kinds if name in profile_settings(other)))
            raise SpaceError(f"{name}: {kind} does not take it; add when: {{schedule: [{takers}]}}")


def _check_point(values: Mapping[str, Any], case: _Case) -> None:
    try:
        candidate_of(values)
    except ConfigError as error:
        rule = f"rule {case.rule}, " if "rule" in values else ""
        raise SpaceError(f"{rule}schedule {case.kind}: {error}") from None


def _possible(name: str, given: Mapping[str, str | None], domains: Mapping[str, Domain]) -> bool:
    """Return whether a parameter can exist under the given choices."""
    if name in given:
        return given[name] is not None
    return all(
        given[parent] in allowed if parent in given else _possible(parent, given, domains)
        for parent, allowed in domains[name].when
    )


def _samples(
    domains: Mapping[str, Domain], given: Mapping[str, str | None]
) -> Iterator[dict[str, Any]]:
    """Yield points that cover each choice, all low ends together and all high ends together."""
    ends: dict[str, tuple[Any, ...]] = {
        n: d.options if isinstance(d, Choice) else (d.low, d.high) for n, d in domains.items()
    }
    ends |= {name: (value,) for name, value in given.items() if value is not None}
    for index in range(max(map(len, ends.values()), default=0)):
        yield {name: values[min(index, len(values) - 1)] for name, values in ends.items()}
