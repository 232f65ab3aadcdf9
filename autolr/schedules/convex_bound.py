"""What convex theory says of a schedule: a bound of its last loss, and its best peak."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import (
    Array,
    Integer,
    NotNegative,
    Positive,
    Several,
    check_of,
    read_number,
    read_setting,
)

_LONGEST = 10**7  # steps; longer runs take gigabytes, and ratios of peaks do not need them
_NORMS = Several((check_of(NotNegative),))


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound of the loss that is left after a run, as a function of the peak.

        loss - best loss <= distance_term / peak + gradient_term peak

    Attributes:
        distance_term: The smaller the multipliers, the less of the way to the solution is done.
        gradient_term: What the gradients add, most of all those of the last steps.
    """

    distance_term: float
    gradient_term: float

    @property
    def best_peak(self) -> float:
        """The peak with the lowest bound, in the units of distance / gradient norm."""
        return math.sqrt(self.distance_term / self.gradient_term)

    @property
    def lowest(self) -> float:
        """The bound at the best peak, in the units of distance x gradient norm."""
        return 2 * math.sqrt(self.distance_term * self.gradient_term)

    def at(self, peak: float) -> float:
        """Return the bound at a peak.

        Raises:
            ConfigError: If ``peak`` is not above 0.
        """
        peak = read_number("peak", check_of(Positive), peak)
        return self.distance_term / peak + peak * self.gradient_term


def bound(
    schedule: Schedule,
    total_steps: int,
    *,
    gradient_norms: Sequence[float] | Array | None = None,
    distance: float = 1.0,
) -> Bound:
    """Return the bound of the last iterate of (stochastic) subgradient descent on a convex loss.

        distance_term = D^2 / (2 M_1)
        gradient_term = Q_1 / (2 M_1) + 1/2 sum_{k < T} m_k / M_{k+1} Q_k / M_k
        M_k = sum_{t >= k} m_t,  Q_k = sum_{t >= k} m_t^2 G_t^2

    with the multipliers m_t = ``schedule.values(T)``, gradient norms G_t and the distance D. Steps
    at the end whose multiplier is 0 move nothing and are left out. It takes O(T).

    Ratios of best peaks are what it is for (`transfer`): D cancels. Do not choose a profile by
    it: where runs were compared, its order of the profiles was often another one than theirs.

    Args:
        schedule: Any schedule.
        total_steps: Length of the run.
        gradient_norms: One number for each step, in expectation; None if all are 1.
        distance: From the first weights to the solution.

    Raises:
        ConfigError: If the run has more than 10 million steps or the schedule does not fit in it,
            all multipliers are 0, there is not one norm for each step, one is negative or all
            are 0, ``distance`` is not above 0, or numbers are too extreme for the bound.

    Source: Schaipp et al. 2025, "The Surprising Agreement", theorem 1, arXiv:2501.18965, which is
    theorem 10 of Defazio et al. 2023, arXiv:2310.07831; the values are those of their code,
    fabian-sp/lr-scheduling.

    >>> from autolr.schedules import constant, linear
    >>> round(bound(linear(), 1000).best_peak, 4), round(bound(linear(), 1000).lowest, 4)
    (0.0315, 0.0634)
    >>> round(bound(constant(), 1000).lowest, 4)
    0.0921
    """
    distance = read_number("distance", check_of(Positive), distance)
    check_length("total_steps", total_steps)
    check_schedule("schedule", schedule)
    multipliers = np.trim_zeros(schedule.values(total_steps), "b")
    if not multipliers.size:
        raise ConfigError(f"the multipliers of {schedule} are 0 at all {total_steps} steps")
    norms = _norms(gradient_norms, total_steps)[: multipliers.size]
    if not norms[multipliers > 0].any():
        raise ConfigError("gradient_norms must be above 0 at a step that the schedule makes")
    with np.errstate(over="ignore"):
        squares = (multipliers * norms) ** 2
    ahead, noise_ahead = _tails(multipliers), _tails(squares)
    last = (multipliers[:-1] / ahead[1:]) * (noise_ahead[:-1] / ahead[:-1])
    noise = noise_ahead[0] / ahead[0] + last.sum()
    terms = distance * (distance / (2 * float(ahead[0]))), float(noise / 2)
    if not all(0 < term < math.inf for term in terms):
        raise ConfigError("gradient_norms, distance and multipliers must be less extreme")
    return Bound(*terms)


def check_length(name: str, steps: int) -> None:
    """Check the length of a run.

    Args:
        name: The setting.
        steps: Its value.

    Raises:
        ConfigError: If it is not a whole number from 1 to 10 million.
    """
    read_setting(name, Integer(1), steps)
    if steps > _LONGEST:
        expected = f"at most {_LONGEST}; longer runs may be scaled down together"
        raise ConfigError.of(name, steps, expected)


def _norms(given: Sequence[float] | Array | None, total_steps: int) -> Array:
    if given is None:
        return np.ones(total_steps)
    norms = np.array(read_setting("gradient_norms", _NORMS, given), dtype=np.float64)
    if len(norms) != total_steps:
        expected = f"{total_steps} numbers, one for each step"
        raise ConfigError(f"gradient_norms must be {expected}, got {len(norms)} of them")
    return norms


def _tails(values: Array) -> Array:
    """Return the sums from each element to the end."""
    return np.asarray(np.cumsum(values[::-1])[::-1], dtype=np.float64)
