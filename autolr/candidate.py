"""A candidate: one point of the search, and how it is made of a space's values.

>>> found = candidate_of({"lr": 0.1, "schedule": "cosine", "warmup": 0.05, "model.width": 64})
>>> found.peak, found.schedule, found.settings
(0.1, warmup(0.05) | cosine(), (('model.width', 64),))
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from autolr import rules, schedules
from autolr.domains import Choice, Domain, Value
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.names import is_path, meaning
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.space import Space

ONLINE = "online"  # as `lr`: the peak is found inside the trial
DEFAULT_SCHEDULE = "linear"  # where neither a space nor a rule names one

_OWN = ("lr", "schedule", "warmup", "rule")  # the plain names that are no setting of a profile
_LARGEST = sys.float_info.max  # of a float; Python's whole numbers go further
_FIELDS = ("rule", "peak", "schedule", "settings", "rule_settings")


@dataclass(frozen=True, slots=True)
class Candidate:
    """How one run sets its rate, and the user's own hyper-parameters.

    Args:
        rule: How the base step is set; one of `autolr.rules.names`.
        peak: The rate at which the schedule's multiplier is 1; None: found inside the run.
        schedule: The multipliers.
        settings: Dotted paths into the user's config, and values; pairs or a mapping. Kept sorted.
        rule_settings: Settings of the rule, likewise; what is not there has the rule's default.

    Raises:
        ConfigError: If the rule is unknown or does not take a setting, or the peak is not a finite
            number above 0.
    """

    rule: str = "fixed"
    peak: float | None = None
    schedule: Schedule = field(default_factory=lambda: schedules.parse(DEFAULT_SCHEDULE))
    settings: tuple[tuple[str, Value], ...] = ()
    rule_settings: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        rules.check_settings(self.rule, dict(self.rule_settings))
        if self.peak is not None:
            object.__setattr__(self, "peak", _rate(self.peak))
        for name in ("settings", "rule_settings"):
            object.__setattr__(self, name, tuple(sorted(dict(getattr(self, name)).items())))

    @property
    def is_own(self) -> bool:
        """Whether it leaves the module's optimizer as it is."""
        return self.rule == OWN and not self.rule_settings

    @property
    def id(self) -> str:
        """Twelve hex digits of the SHA-256 of its JSON: the same in every process."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def is_slower(self, other: "Candidate") -> bool:
        """Return whether it has the rule of another candidate, at a lower peak."""
        return self.rule == other.rule and (self.peak or 0.0) < (other.peak or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON; ``rule_settings`` only where there are some."""
        found: dict[str, Any] = {"rule": self.rule, "peak": self.peak}
        found |= {"schedule": self.schedule.to_dict(), "settings": dict(self.settings)}
        own = dict(self.rule_settings)
        return found | ({"rule_settings": own} if own else {})

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Candidate":
        """Return the candidate that `to_dict` wrote; what is missing has its default.

        Raises:
            ConfigError: If a key is unknown or a value cannot work.
        """
        for key in mapping:
            if key not in _FIELDS:
                raise ConfigError(unknown_name("key of a candidate", key, _FIELDS))
        parsed = {"schedule": schedules.parse(mapping["schedule"])} if "schedule" in mapping else {}
        return cls(**{**mapping, **parsed})


def candidate_of(values: Mapping[str, Any]) -> Candidate:
    """Return the candidate that a space's values stand for.

    ``lr`` is the peak, or "online"; absent, it is found online too, or is the rule's own where that
    is not searched. ``schedule`` names a profile (absent: the first of the rule's record) and the
    other plain names are its settings, but for ``warmup``: a profile that does not take it is put
    behind a warm-up of that share of the run, if it is above 0.

    Names with a dot are the user's settings, but for ``rule.X``, the setting X of the rule, and
    ``lr.X`` and ``schedule.X``: they stand for ``lr`` and ``schedule`` where a space has several of
    them, for different rules. X is free then.

    Raises:
        ConfigError: If a value cannot work; the message names the setting.
    """
    plain: dict[str, Any] = {}
    own, settings = {}, {}
    for name, value in values.items():
        meant, _, rest = name.partition(".")
        if meant == "rule" and rest:
            own[rest] = value
        elif is_path(name):
            settings[name] = value
        elif meant in plain:
            raise ConfigError(f"a candidate must have one {meant}, got another one: {name}")
        else:
            plain[meant] = value
    record = rules.record(plain.pop("rule", "fixed"))
    rate = plain.pop("lr", ONLINE if record.peak.searched else record.peak.default)
    schedule = _schedule({"schedule": record.schedules[0], **plain})
    peak = None if rate == ONLINE else _rate(rate)
    return Candidate(record.name, peak, schedule, tuple(settings.items()), tuple(own.items()))


def _schedule(plain: dict[str, Any]) -> Schedule:
    kind, share = plain.pop("schedule"), _share(plain.get("warmup", 0.0))
    if composed := "warmup" not in _settings_of(kind):
        plain.pop("warmup", None)
    schedule = schedules.parse({"kind": kind, **plain})
    return schedules.warmup(share) | schedule if composed and share > 0 else schedule


def check_space(space: Space, source: str = "space") -> None:
    """Refuse, before any trial, a space whose points are not all candidates.

    Names, profiles and which profile takes what are checked in full for each rule, values at both
    ends of each range and at each choice.

    Raises:
        SpaceError: With one line that names the source and the parameter.
    """
    own = {name: domain for name, domain in space.domains.items() if not is_path(name)}
    try:
        cases = list(_cases(space.domains))
        kinds = {case.kind: _settings_of(case.kind) for case in cases}
        _check_names(own, kinds)
        for case in cases:
            active = {n: d for n, d in own.items() if _possible(n, case.given, space.domains)}
            _check_taken(active, case.kind, kinds)
            for values in _samples(active, case.given):
                _check_point(values, case)
    except ConfigError as error:
        raise SpaceError(f"{source}: {error}") from None


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
    """A rule with a profile. ``given`` has the choices that make it; None: it does not exist."""

    rule: str
    kind: str
    given: Mapping[str, str | None]


def _cases(domains: Mapping[str, Domain]) -> Iterator[_Case]:
    for given in _options("rule", domains, {}):
        record = rules.record(given.get("rule") or "fixed")
        _only("lr", given, domains)
        name = _only("schedule", given, domains)
        for chosen in _options(name, domains, given) if name else (given,):
            yield _Case(record.name, chosen.get(name) or record.schedules[0], chosen)


def _options(
    name: str, domains: Mapping[str, Domain], given: Mapping[str, str | None]
) -> Iterator[Mapping[str, str | None]]:
    """Yield what is given with each value of a choice, and without it where it may not exist."""
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


def _only(meant: str, given: Mapping[str, str | None], domains: Mapping[str, Domain]) -> str:
    """Return the name under which ``lr`` or ``schedule`` can exist; "" if it cannot."""
    labelled = (name for name in domains if meaning(name) == meant)
    found = [name for name in labelled if _possible(name, given, domains)]
    if len(found) > 1:
        hint = f"add when: {{rule: [...]}} to {found[1]}, other rules than those of {found[0]}"
        raise SpaceError(f"{found[0]} and {found[1]} may both exist in one candidate; {hint}")
    return found[0] if found else ""


def _check_names(domains: Mapping[str, Domain], takes: Mapping[str, Iterable[str]]) -> None:
    settings = {name for names in takes.values() for name in names}
    known = (*_OWN, *sorted(settings.difference(_OWN)))
    for name in domains:
        if meaning(name) not in known:
            hint = f"or a path into the config, such as model.init_args.{name}"
            raise SpaceError(f"{unknown_name('parameter', name, known)}, {hint}")


def _check_taken(active: Iterable[str], kind: str, kinds: Iterable[str]) -> None:
    for name in active:
        if meaning(name) not in _OWN and name not in _settings_of(kind):
            takers = ", ".join(sorted(other for other in kinds if name in _settings_of(other)))
            raise SpaceError(f"{name}: {kind} does not take it; add when: {{schedule: [{takers}]}}")


def _check_point(values: Mapping[str, Any], case: _Case) -> None:
    try:
        candidate_of(values)
    except ConfigError as error:
        rule = f"rule {case.rule}, " if "rule" in values else ""
        raise SpaceError(f"{rule}schedule {case.kind}: {error}") from None


def _possible(name: str, given: Mapping[str, str | None], domains: Mapping[str, Domain]) -> bool:
    """Return whether a parameter can exist together with what is given."""
    if name in given:
        return given[name] is not None
    return all(
        given[parent] in allowed if parent in given else _possible(parent, given, domains)
        for parent, allowed in domains[name].when
    )


def _samples(
    domains: Mapping[str, Domain], given: Mapping[str, str | None]
) -> Iterator[dict[str, Any]]:
    """Yield points that show each choice, all low ends together and all high ends together."""
    ends: dict[str, tuple[Any, ...]] = {
        n: d.options if isinstance(d, Choice) else (d.low, d.high) for n, d in domains.items()
    }
    ends |= {name: (value,) for name, value in given.items() if value is not None}
    for index in range(max(map(len, ends.values()), default=0)):
        yield {name: values[min(index, len(values) - 1)] for name, values in ends.items()}


def _settings_of(kind: object) -> Mapping[str, object]:
    if not isinstance(kind, str) or kind not in schedules.names():
        raise ConfigError(unknown_name("schedule", kind, schedules.names()))
    return schedules.settings_of(kind)


def _rate(value: object) -> float:
    if not _is_number(value) or float(value) <= 0:
        raise ConfigError.of("lr", value, f"a finite number above 0, or {ONLINE!r}")
    return float(value)


def _share(value: object) -> float:
    if not _is_number(value) or not 0 <= value < 1:
        raise ConfigError.of("warmup", value, "a share of the run, at least 0 and below 1")
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
