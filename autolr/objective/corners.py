"""The corners of a search space: candidates that show each of its values once, for the check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autolr.candidate import Candidate, candidate_of
from autolr.config import Config, set_dotted
from autolr.space import Choice, Scalar, Space, label


class _Corner:
    """A trial with the values that are given, else with the first choice or the low end."""

    def __init__(self, given: Mapping[str, Scalar]) -> None:
        self._given = given

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return what is given, or the low end."""
        value: Any = self._given.get(name, low)
        return float(value)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """Return what is given, or the low end."""
        value: Any = self._given.get(name, low)
        return int(value)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return what is given, or the first choice."""
        return self._given.get(name, choices[0])


def corners(space: Space) -> Iterator[Candidate]:
    """Yield candidates that show each choice of the space, and both ends of each range.

    The first one has the first value of each parameter.
    """
    for name, domain in space.parameters:
        ends = domain.labels if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in ends:
            point = space.suggest(_Corner({**_needed(space, name), name: value}))
            yield candidate_of(point, space.own)


def _needed(space: Space, name: str) -> dict[str, Scalar]:
    """Return values of other parameters under which a parameter exists."""
    values: dict[str, Scalar] = {}
    for parent, allowed in space.domains[name].when:
        values |= {**_needed(space, parent), parent: label(allowed[0])}
    return values


def filled(config: Config) -> dict[str, Any]:
    """Return the fit part; what it leaves open and the space sets has its first value."""
    result, left_open = config.fit, opened(config)
    for name, value in next(corners(config.space)).settings:
        if name in left_open:
            result = set_dotted(result, name, value)
    return result


def opened(config: Config) -> list[str]:
    """Return the settings that the config leaves open and the space sets.

    An error of the others is one of the config's own values, whatever the space makes of them.
    """
    names = [name for name, _ in next(corners(config.space)).settings]
    return [name for name in names if not _has(config.fit, name)]


def _has(config: Mapping[str, Any], name: str) -> bool:
    inner: Any = config
    for key in name.split("."):
        if not isinstance(inner, Mapping) or key not in inner:
            return False
        inner = inner[key]
    return True
