"""The records of all rules. Reading them does not import torch."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from autolr.errors import ConfigError, unknown_name
from autolr.rules.base import Rule
from autolr.settings import NotNegative, check_of, read_setting

_DECAYING = ("linear", "cosine", "wsd")
SELF_DECAYING = ("constant", "wsd")  # for rules whose steps shrink with the loss by themselves
R = TypeVar("R", bound=type[Rule])


@dataclass(frozen=True, slots=True)
class Peak:
    """The default and the range of the peak of a rule.

    Attributes:
        default: The peak if the user gives none.
        low: Lowest peak of a search, in log scale.
        high: Highest peak of a search; equal to ``low`` if the peak is not searched.
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
        """Whether a search should vary the peak."""
        return self.low < self.high


@dataclass(frozen=True, slots=True)
class Record:
    """The metadata of a rule.

    Attributes:
        name: As in `autolr.rules.build`.
        family: Its kind.
        summary: What it does, in one line.
        source: Where it comes from.
        peak: The default peak, and the range of a search.
        schedules: The profiles that suit it, the default one first.
        needs: What it computes at each step, see `Rule.needs`. A native rule has "closure" if
            `step` requires one, else nothing.
        horizon: Whether it must know the length of the run.
        averages: Whether averaged weights are evaluated in place of the last ones. False for
            schedule-free optimizers, which hold the averages in the model themselves.
        rule: The class of a rule of this package; None for a native rule.
        optimizer: ``package:Class`` of a native rule.
        package: The package of a native rule's optimizer; "" for torch's and our own.
        settings: Defaults for the native optimizer in place of its own.
        one_rate: Whether all groups must have the same rate, or 0.
        moves_all: Whether it also moves a group with rate 0 if another group has a higher one.
        warning: When it fails, in one line; "" if nothing is known.
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
    package: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    one_rate: bool = False
    moves_all: bool = False
    warning: str = ""


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
    """Return the names of all rules, grouped by family, "fixed" first."""
    families = dict.fromkeys(["fixed", *(record.family for record in _RECORDS.values())])
    return [name for kind in families for name, one in _RECORDS.items() if one.family == kind]


def record(name: object) -> Record:
    """Return the metadata of a rule.

    Raises:
        ConfigError: If no rule has that name.

    >>> record("dog").family, record("dog").averages
    ('distance', True)
    """
    if not isinstance(name, str) or name not in _RECORDS:
        raise ConfigError(unknown_name("rule", name, _RECORDS))
    return _RECORDS[name]


def customary_peak(rule_or_class: Rule | str) -> float | None:
    """Return the customary first peak of a rule or optimizer; None if there is none.

    Args:
        rule_or_class: A rule, or the class name of an optimizer.

    >>> customary_peak("Prodigy"), customary_peak("Unknown")
    (1.0, None)
    """
    for one in _RECORDS.values():
        if one.rule is type(rule_or_class) or one.optimizer.partition(":")[2] == rule_or_class:
            return one.peak.default
    return None


def make(name: str, settings: Mapping[str, object]) -> tuple[Rule, float]:
    """Return a rule of this package, and its weight decay.

    Args:
        name: Of the rule.
        settings: Of the rule; ``weight_decay`` may be among them.

    Raises:
        ConfigError: If the rule does not take a setting or its value.
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
    """Check the settings of a rule.

    Those of native rules are checked later, against the signature of their optimizer.

    Args:
        name: Of the rule.
        settings: Of the rule; ``weight_decay`` may be among them.

    Raises:
        ConfigError: If there is no such rule, or a setting cannot work.
    """
    entry = record(name)
    if entry.rule is not None:
        make(entry.name, settings)
