"""The lowest loss, for Polyak's step: a number, or a function of the step."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from typing_extensions import override

from autolr.errors import ConfigError
from autolr.rules.base import Statistics
from autolr.settings import Constraint, Real

Bound: TypeAlias = float | Callable[[int], float]


@dataclass(frozen=True, slots=True)
class _NumberOrFunction(Constraint):
    """A finite number, or a function that returns one for step 0."""

    @property
    @override
    def expected(self) -> str:
        return "a finite number, or a function of the step that returns one"

    @override
    def read(self, value: object) -> Any:
        if not callable(value):
            return _FINITE.read(value)
        try:
            inspect.signature(value).bind(0)
            _FINITE.read(value(0))
        except TypeError:
            raise ValueError from None
        return value


LowerBound: TypeAlias = Annotated[Bound, _NumberOrFunction()]
_FINITE = Real(-math.inf)


def lowest(f_star: Bound, step: int) -> float:
    """Return the lowest loss at a step.

    Args:
        f_star: A number, or a pure function of the step: a rival or a resumed run calls it again
            for a step. It serves losses whose lowest value moves in a known way, such as one with
            a weight that grows.
        step: The step, from 0.

    Raises:
        ConfigError: If the function returns no finite number.

    >>> lowest(0.5, 3), lowest(lambda step: 0.1 * step, 3)
    (0.5, 0.30000000000000004)
    """
    if not callable(f_star):
        return f_star
    value = f_star(step)
    try:
        return _FINITE.read(value)
    except ValueError:
        raise ConfigError.of(f"f_star({step})", value, "a finite number") from None


def excess(f_star: Bound, statistics: Statistics) -> float:
    """Return how far the loss is above the lowest one.

    Args:
        f_star: See `lowest`.
        statistics: Of the step.

    Raises:
        ConfigError: As `lowest`.
    """
    return statistics.loss - lowest(f_star, statistics.step)
