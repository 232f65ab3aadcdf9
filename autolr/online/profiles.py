"""What a run may choose of a search space: its box of rates, and profiles."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from autolr.candidate import candidate_of
from autolr.domains import Choice, Domain, Range, Value
from autolr.errors import ConfigError
from autolr.schedules import Schedule
from autolr.space import Space
from autolr.space_sources import load_space
from autolr.strict_yaml import Source

_MOST = 5  # profiles that are compared with the default schedule


@dataclass(frozen=True, slots=True)
class RunSpace:
    """What one run may choose.

    Attributes:
        rates: Lowest and highest peak; None if the space leaves them open.
        schedule: The only schedule that there is, from the run's first step on; None if there are
            several profiles.
        profiles: What may follow the race, at most 5. They have no warm-up: the run has had its.
    """

    rates: tuple[float, float] | None
    schedule: Schedule | None
    profiles: tuple[Schedule, ...] = ()

    @classmethod
    def read(cls, space: Source) -> "RunSpace":
        """Return what a catalogue name, a path or a mapping leaves to a run.

        Of the profiles under ``schedule`` the first five count, each once: a range of their
        settings is taken at its middle (the geometric one with ``log``), a choice at its first.

        Raises:
            ConfigError: If it has hyper-parameters of the user's, or cannot work.
        """
        parsed = load_space(space)
        for name in parsed.names:
            if "." in name:
                raise ConfigError(
                    f"candidates: {name} cannot be searched within a run, use `autolr tune` for it"
                )
        domain = parsed.domains.get("schedule")
        kinds = domain.options if isinstance(domain, Choice) else (None,)
        rates = _rates(parsed.domains.get("lr"))
        if len(kinds) == 1:
            return cls(rates, _schedule(parsed, kinds[0], warm=True))
        return cls(rates, None, tuple(_schedule(parsed, kind) for kind in kinds[:_MOST]))


class _Middle:
    """Suggests one schedule, and the middle of all else; see `autolr.space.Trial`."""

    def __init__(self, kind: Value) -> None:
        self._kind = kind

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        return float((low * high) ** 0.5) if log else (low + high) / 2

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        return round(self.suggest_float(name, low, high, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        return self._kind if name == "schedule" else choices[0]


def _schedule(space: Space, kind: Value, *, warm: bool = False) -> Schedule:
    values = space.suggest(_Middle(kind))
    if warm:
        return candidate_of(values).schedule
    schedule = candidate_of(values | {"warmup": 0.0}).schedule
    if schedule.kind != "chain":
        return schedule
    return reduce(operator.or_, [part for part in schedule.parts if part.span != 0])


def _rates(domain: Domain | None) -> tuple[float, float] | None:
    if isinstance(domain, Range):
        return domain.low, domain.high
    options = () if domain is None else domain.options
    rates = [float(rate) for rate in options if isinstance(rate, int | float)]
    return (min(rates), max(rates)) if rates else None
