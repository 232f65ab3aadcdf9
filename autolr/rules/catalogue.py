"""The records of all rules; none of them needs torch to be read."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from autolr.errors import ConfigError, unknown_name
from autolr.rules.base import Rule
from autolr.settings import NotNegative, check_of, read_setting

_DECAYING = ("linear", "cosine", "wsd")
SELF_DECAYING = ("constant", "wsd")  # for steps that fall with the loss
R = TypeVar("R", bound=type[Rule])


@dataclass(frozen=True, slots=True)
class Peak:
    """What the peak of a rule may be.

    Attributes:
        default: The peak where none is given.
        low: Lowest peak of a search, its range being logarithmic.
        high: Highest peak of a search; equal to ``low`` where it is not searched.
    """

    default: float
    low: float
    high: float

    @classmethod
    def fixed(cls, default: float = 1.0) -> "Peak":
        """Return a peak that is not searched."""
        return cls(default, default, default)

    @property
    def searched(self) -> bool:
        """Whether the peak belongs into a search."""
        return self.low < self.high


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of a rule.

    Attributes:
        name: As in `autolr.rules.build`.
        family: Its kind.
        summary: What it does, in one line.
        source: Where it comes from.
        peak: The peak where none is given, and the range of a search.
        schedules: The profiles that make sense with it; one that decays by itself wants none.
        needs: What it computes at each step, see `Rule.needs`; of native rules "closure" where
            `step` cannot do without one, else nothing.
        horizon: Whether it has to know how long the run is.
        averages: Whether averaged weights are evaluated in place of the last ones. Not so for
            schedule-free ones: theirs are the weights in place.
        rule: The rule, for those written here.
        optimizer: ``package:Class`` of a native rule.
        extra: The optional dependency of autolr that a native rule comes with; "" for none.
        settings: What the native optimizer is given where the user gives nothing else.
        one_rate: Whether all groups must have the same rate, or 0.
        moves_all: Whether it moves a group with a rate of 0 too, as long as another one has more.
    """

    name: str
    family: str
    summary: str
    source: str
    peak: Peak
    schedules: tuple[str, ...] = _DECAYING
    needs: tuple[str, ...] = ()
    horizon: bool = False
    averages: bool = False
    rule: type[Rule] | None = None
    optimizer: str = ""
    extra: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    one_rate: bool = False
    moves_all: bool = False


_RECORDS: dict[str, Record] = {}


def add(record: Record) -> None:
    """Register a rule. A class that is defined again, as in a notebook, replaces its older self.

    Raises:
        TypeError: If another rule has the name.
    """
    before = _RECORDS.get(record.name)
    if before is not None and not _is_same(before.rule, record.rule):
        raise TypeError(f"two rules are called {record.name!r}")
    _RECORDS[record.name] = record


def _is_same(before: type[Rule] | None, after: type[Rule] | None) -> bool:
    """Return whether both are one class of a source file."""
    if before is None or after is None:
        return False
    return (before.__module__, before.__qualname__) == (after.__module__, after.__qualname__)


def rule(
    name: str, family: str, peak: Peak, source: str, schedules: tuple[str, ...] = _DECAYING
) -> Callable[[R], R]:
    """Register a subclass of `Rule` under a name: by it, the rule works wherever ours do.

    Experimental: may change in a minor version. The class is a frozen dataclass with slots, as the
    example ``examples/extending/sign_rule.py`` is; the first line of its docstring is the summary.
    `autolr.testing.RuleContract` has the tests that it must pass.

    Args:
        name: The name in `build`, in ``ApplyRule`` and in search spaces; it must be free.
        family: Its kind; `names` lists the rules of a family together.
        peak: The peak where none is given, and the range of a search.
        source: Where it is published.
        schedules: Names of the profiles that make sense with it, the default one first.

    Raises:
        TypeError: If another rule has the name.
    """

    def register(made: R) -> R:
        summary = (made.__doc__ or "").partition("\n")[0].rstrip(".")
        averages = made.averaging > 0
        add(
            Record(
                name,
                family,
                summary,
                source,
                peak,
                schedules,
                needs=made.needs,
                averages=averages,
                rule=made,
            )
        )
        return made

    return register


def names() -> list[str]:
    """Return the names of all rules, those of a family together; "fixed" comes first."""
    families = dict.fromkeys(["fixed", *(record.family for record in _RECORDS.values())])
    return [name for kind in families for name, one in _RECORDS.items() if one.family == kind]


def record(name: object) -> Record:
    """Return what is known of a rule.

    Raises:
        ConfigError: If there is none of that name.

    >>> record("dog").family, record("dog").averages
    ('distance', True)
    """
    if not isinstance(name, str) or name not in _RECORDS:
        raise ConfigError(unknown_name("rule", name, _RECORDS))
    return _RECORDS[name]


def customary_peak(rule_or_class: Rule | str) -> float | None:
    """Return the peak from which people start, None if nothing is known of it.

    Args:
        rule_or_class: A rule, or the name of an optimizer's class.

    >>> customary_peak("Prodigy"), customary_peak("Unknown")
    (1.0, None)
    """
    for one in _RECORDS.values():
        if one.rule is type(rule_or_class) or one.optimizer.partition(":")[2] == rule_or_class:
            return one.peak.default
    return None


def make(name: str, settings: Mapping[str, object]) -> tuple[Rule, float]:
    """Return a rule that is written here, and the weight decay that goes with it.

    Raises:
        ConfigError: If it does not take a setting, or refuses a value.
    """
    made = record(name).rule
    assert made is not None
    takes = [field.name for field in dataclasses.fields(made)]  # type: ignore[arg-type]
    own = dict(settings)
    decay = read_setting("weight_decay", check_of(NotNegative), own.pop("weight_decay", 0.0))
    for setting in own:
        if setting not in takes:
            known = ", ".join([*takes, "weight_decay"])
            raise ConfigError(f"{name} has no setting {setting!r}; it takes: {known}")
    assert isinstance(decay, int | float)
    return made(**own), float(decay)


def check_settings(name: object, settings: Mapping[str, object]) -> None:
    """Refuse settings that a rule does not take.

    Those of native rules are checked when their optimizer is built, by its own signature.

    Raises:
        ConfigError: If there is no such rule, or a setting cannot work.
    """
    found = record(name)
    if found.rule is not None:
        make(found.name, settings)
