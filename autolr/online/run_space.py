"""The part of a search space that one run can choose from: rules, their rates, profiles."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from autolr import rules
from autolr.candidate import Candidate, candidate_of
from autolr.errors import ConfigError
from autolr.names import meaning
from autolr.rules import LineSearch
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.search_spaces import load_space
from autolr.space import Choice, Domain, Range, Scalar, Space, Value, label
from autolr.strict_yaml import Source

_MOST = 5  # profiles that are compared with the default schedule; rules beside "fixed"
_OF_A_RULE = "rule."  # opens the name of a rule's setting


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """A rule that a run may choose.

    Attributes:
        name: One of `autolr.rules.names`; "fixed" is the user's own optimizer as it is.
        settings: Of the rule, as pairs.
        rates: Lowest and highest peak, of another rule than "fixed"; None if the space leaves them
            open.
    """

    name: str = OWN
    settings: tuple[tuple[str, Value], ...] = ()
    rates: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class RunSpace:
    """What one run may choose.

    Attributes:
        rates: Lowest and highest peak of the user's own optimizer; None if the space leaves them
            open.
        schedule: The only schedule that there is, from the run's first step on; None if there are
            several profiles.
        profiles: What may follow the race, at most 5. They have no warm-up: the run has had its.
        rules: The rules that race, "fixed" first and at most 5 others.
        unread: Rules of the space beyond those.
    """

    rates: tuple[float, float] | None
    schedule: Schedule | None
    profiles: tuple[Schedule, ...] = ()
    rules: tuple[RuleChoice, ...] = (RuleChoice(),)
    unread: tuple[str, ...] = ()

    @classmethod
    def read(cls, space: Source) -> "RunSpace":
        """Return what a catalogue name, a path or a mapping leaves to a run.

        Of the profiles under ``schedule`` the first five count, each once: a range of their
        settings is taken at its middle (the geometric one with ``log``), a choice at its first; so
        it is with the settings of a rule. ``lr`` is the peak of the rules that its ``when`` names,
        else of "fixed", without which it is that of all; others have the peaks of their record.

        Raises:
            ConfigError: If it has hyper-parameters of the user's, or cannot work.
        """
        parsed = load_space(space)
        for name in parsed.names:
            if "." in name and meaning(name) != "rule":
                raise ConfigError(
                    f"candidates: {name} cannot be searched within a run, use `autolr tune` for it"
                )
        names = _names(parsed)
        choices = tuple(_choice(parsed, name, names) for name in names)
        most = _MOST + (names[0] == OWN)
        rates = _rates(parsed, OWN, names)
        run_space = cls(rates, None, rules=choices[:most], unread=names[most:])
        domain = parsed.domains.get("schedule")
        kinds = domain.options if isinstance(domain, Choice) else (None,)
        if kinds == (None,) and "rule" in parsed.names:
            return run_space
        if len(kinds) == 1:
            return replace(run_space, schedule=_schedule(parsed, kinds[0], warm=True))
        return replace(run_space, profiles=tuple(_schedule(parsed, kind) for kind in kinds[:_MOST]))


class _Middle:
    """Suggests what is given, and the middle of all else; see `autolr.space.Trial`."""

    def __init__(self, **given: Scalar) -> None:
        self._given = given

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        return float((low * high) ** 0.5) if log else (low + high) / 2

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        return round(self.suggest_float(name, low, high, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        return self._given.get(name, choices[0])


def _schedule(space: Space, kind: Value, *, warm: bool = False) -> Schedule:
    suggested = space.suggest(_Middle(schedule=label(kind)))
    values = {name: value for name, value in suggested.items() if not name.startswith("rule")}
    if warm:
        return candidate_of(values).schedule
    schedule = candidate_of(values | {"warmup": 0.0}).schedule
    if schedule.kind != "chain":
        return schedule
    return reduce(operator.or_, [part for part in schedule.parts if part.span != 0])


def _names(space: Space) -> tuple[str, ...]:
    """Return the rules of a space, "fixed" first."""
    domain = space.domains.get("rule")
    options = domain.options if isinstance(domain, Choice) else (OWN,)
    return tuple(sorted(map(str, options), key=lambda name: name != OWN))


def _choice(space: Space, name: str, names: Sequence[str]) -> RuleChoice:
    suggested = space.suggest(_Middle(rule=name))
    own = {
        key.removeprefix(_OF_A_RULE): suggested[key]
        for key in suggested
        if key.startswith(_OF_A_RULE)
    }
    settings = Candidate(name, rule_settings=tuple(own.items())).rule_settings
    if name == OWN and settings:
        raise ConfigError(
            f"candidates: {_OF_A_RULE}{settings[0][0]}: fixed is the optimizer as it is; add when: "
            "{rule: ...} with the rules that it is for"
        )
    made = rules.record(name).rule
    if made is not None and issubclass(made, LineSearch):
        raise ConfigError(
            f"candidates: {name} evaluates the loss several times in a step, which the price of a "
            "search within a run does not count; use `autolr tune` or ApplyRule for it"
        )
    return RuleChoice(name, settings, None if name == OWN else _rates(space, name, names))


def _rates(space: Space, rule: str, names: Sequence[str]) -> tuple[float, float] | None:
    """Return the peaks that a space names for a rule."""
    domain = space.domains.get("lr")
    named = () if domain is None else dict(domain.when).get("rule", ())
    if rule not in (named or (OWN if OWN in names else rule,)):
        return None
    return _ends(domain)


def _ends(domain: Domain | None) -> tuple[float, float] | None:
    if isinstance(domain, Range):
        return domain.low, domain.high
    options = () if domain is None else domain.options
    rates = [float(rate) for rate in options if isinstance(rate, int | float)]
    return (min(rates), max(rates)) if rates else None
