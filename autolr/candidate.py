"""A candidate: one point of the search, built from a space's values.

>>> candidate = candidate_of({"lr": 0.1, "schedule": "cosine", "warmup": 0.05, "model.width": 64})
>>> candidate.peak, candidate.schedule, candidate.settings
(0.1, warmup(0.05) | cosine(), (('model.width', 64),))
"""

import hashlib
import json
import math
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from autolr import rules, schedules
from autolr.errors import ConfigError, unknown_name
from autolr.names import OF_NO_PROFILE, is_config_path, meaning
from autolr.predicates import is_number
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.space import Value

ONLINE = "online"  # as `lr`: the online search chooses the peak inside the trial
DEFAULT_SCHEDULE = "linear"  # where neither the space nor the rule names a schedule

_LARGEST = sys.float_info.max  # of a float; a Python int can be larger
_FIELDS = ("rule", "peak", "schedule", "settings", "rule_settings")


@dataclass(frozen=True, slots=True)
class Candidate:
    """How one run sets its rate, and the user's own hyper-parameters.

    Args:
        rule: How the base step is set; one of `autolr.rules.names`.
        peak: The rate where the schedule's multiplier is 1; None: the search chooses it.
        schedule: The multipliers.
        settings: Dotted paths into the user's config, or settings of a Python function, and values:
            pairs or a mapping.
        rule_settings: Settings of the rule, likewise; absent ones have the rule's default.

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
        """Whether the run keeps the module's own optimizer."""
        return self.rule == OWN and not self.rule_settings

    @property
    def id(self) -> str:
        """Twelve hex digits of the SHA-256 of its JSON: the same in every process."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def is_slower(self, other: "Candidate") -> bool:
        """Return whether it has the same rule as another candidate, at a lower peak."""
        return self.rule == other.rule and (self.peak or 0.0) < (other.peak or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON; without ``rule_settings`` where it has none."""
        plain: dict[str, Any] = {"rule": self.rule, "peak": self.peak}
        plain |= {"schedule": self.schedule.to_dict(), "settings": dict(self.settings)}
        own = dict(self.rule_settings)
        return plain | ({"rule_settings": own} if own else {})

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Candidate":
        """Return the candidate that `to_dict` wrote; missing keys have their default.

        Raises:
            ConfigError: If a key is unknown or a value cannot work.
        """
        for key in mapping:
            if key not in _FIELDS:
                raise ConfigError(unknown_name("key of a candidate", key, _FIELDS))
        parsed = {"schedule": schedules.parse(mapping["schedule"])} if "schedule" in mapping else {}
        return cls(**{**mapping, **parsed})


def candidate_of(values: Mapping[str, Any], own_settings: Container[str] = ()) -> Candidate:
    """Return the candidate that a space's values describe.

    ``lr`` is the peak, or "online". If it is absent, the search is online, or the peak is the
    rule's default if the rule has no peak to search. ``schedule`` names a profile; if it is absent,
    the profile is the first one of the rule's record. The other plain names are settings of the
    profile. ``warmup`` is a share of the run: a profile without such a setting follows a warm-up of
    this length.

    Names with a dot are paths into the user's config, except three: ``rule.X`` is the setting X of
    the rule; ``lr.X`` and ``schedule.X`` are ``lr`` and ``schedule`` of a space that has several,
    for different rules, with any label X.

    Args:
        values: By name.
        own_settings: Plain names that are settings of the user's own, as dotted ones are.

    Raises:
        ConfigError: If a value cannot work; the message names the setting.
    """
    plain: dict[str, Any] = {}
    own, settings = {}, {}
    for name, value in values.items():
        meant, _, rest = name.partition(".")
        if meant == "rule" and rest:
            own[rest] = value
        elif is_config_path(name) or name in own_settings:
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
    if composed := "warmup" not in profile_settings(kind):
        plain.pop("warmup", None)
    schedule = schedules.parse({"kind": kind, **plain})
    return schedules.warmup(share) | schedule if composed and share > 0 else schedule


def profile_settings(kind: object) -> Mapping[str, object]:
    """Return the settings that a profile takes, by name.

    Raises:
        ConfigError: If there is no such profile.
    """
    if not isinstance(kind, str) or kind not in schedules.names():
        raise ConfigError(unknown_name("schedule", kind, schedules.names()))
    return schedules.settings_of(kind)


def is_users(name: str) -> bool:
    """Return whether a parameter is the user's own: a path, or a plain name that no profile takes.

    >>> [name for name in ("lr", "cooldown", "n_classes", "model.width") if is_users(name)]
    ['n_classes', 'model.width']
    """
    if is_config_path(name):
        return True
    taken = {setting for kind in schedules.names() for setting in profile_settings(kind)}
    return meaning(name) not in {*OF_NO_PROFILE, *taken}


def _rate(value: object) -> float:
    if not _is_number(value) or float(value) <= 0:
        raise ConfigError.of("lr", value, f"a finite number above 0, or {ONLINE!r}")
    return float(value)


def _share(value: object) -> float:
    if not _is_number(value) or not 0 <= value < 1:
        raise ConfigError.of("warmup", value, "a share of the run, at least 0 and below 1")
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, int):
        return is_number(value) and abs(value) <= _LARGEST
    return is_number(value) and math.isfinite(value)
