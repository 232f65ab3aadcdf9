"""Strategies: from the box of rates and the length of a run to a search."""

import math
from dataclasses import dataclass

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online.autolrs import AutoLRS
from autolr.online.plan import Rung, plan_rungs
from autolr.online.search import Search
from autolr.schedules import Schedule

_FLOOR = 12  # steps of the first horizon, where the budget allows them
_STRATEGIES = "'annealed', 'autolrs', or a strategy object"


@dataclass(frozen=True, slots=True)
class Box:
    """The peaks among which a search chooses.

    Attributes:
        low: Lowest peak.
        high: Highest peak; equal to ``low`` for a single candidate.
        prior: The peak that is taken when the run is too short to search.
    """

    low: float
    high: float
    prior: float

    @classmethod
    def between(cls, low: float, high: float) -> "Box":
        """Return the box from ``low`` to ``high``; its prior is their geometric mean.

        Raises:
            ConfigError: If they are not positive, finite and in order.
        """
        if not (0 < low <= high < math.inf):
            raise ConfigError.of("rates", (low, high), "(low, high) with 0 < low <= high")
        return cls(low, high, low if low == high else math.sqrt(low * high))

    @classmethod
    def around(cls, prior: float, spread: float = 16.0) -> "Box":
        """Return the box of rates within a factor ``spread`` of a prior peak."""
        return cls(prior / spread, prior * spread, prior)


@dataclass(frozen=True, slots=True)
class Annealed:
    """Score each peak by a short annealed copy of the run, at growing horizons.

    Candidates are trunks: the run's own first steps under its schedule, each at its own peak.
    A candidate's score is the validation loss after a short linear cooldown to zero on a copy,
    so that rates are compared as the end of the run will compare them, not by how fast the loss
    falls at first (short-horizon bias: Wu et al. 2018, arXiv:1803.02021). All are scored at the
    first horizon, the best two again at the second (successive halving: Jamieson & Talwalkar
    2016, arXiv:1502.07943).

    Args:
        candidates: How many peaks are tried, spaced evenly in log rate.
        horizons: Shares of the run at which candidates are scored, rising.
        cooldown: Length of the annealed copies, as a share of their horizon.
        tie: Scores within this share of the best count as equal, and the lower peak is taken.

    Raises:
        ConfigError: If a value is out of its range.
    """

    candidates: int = 5
    horizons: tuple[float, ...] = (0.02, 0.08)
    cooldown: float = 0.3
    tie: float = 0.003

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ConfigError.of("candidates", self.candidates, "at least 1")
        rising = list(self.horizons) == sorted(set(self.horizons))
        if not (self.horizons and rising and self.horizons[0] > 0 and self.horizons[-1] < 1):
            raise ConfigError.of("horizons", self.horizons, "rising shares of the run in (0, 1)")
        if not 0 < self.cooldown < 1:
            raise ConfigError.of("cooldown", self.cooldown, "a share in (0, 1)")
        if not 0 <= self.tie < 1:
            raise ConfigError.of("tie", self.tie, "a share in [0, 1)")

    def begin(self, box: Box, schedule: Schedule | None, total_steps: int, cap: int) -> Search:
        """Return the search for a run.

        Args:
            box: The peaks to choose from.
            schedule: The run's schedule; None for `default_schedule`.
            total_steps: Optimizer steps of the run.
            cap: Steps outside the live run, at most. A single candidate costs its smallest probe.

        Returns:
            A search whose rungs fit under ``cap``; without rungs where nothing fits: it commits
            to the prior peak at once.
        """
        count = 1 if box.low == box.high else self.candidates
        rungs: tuple[Rung, ...] = ()
        for fewer in [count] if count <= 3 else [count, 3]:
            rungs = self._rungs(schedule, total_steps, fewer, cap)
            if rungs:
                count = fewer
                break
        chosen = schedule or default_schedule(rungs)
        peaks = _log_spaced(box, count) if rungs else [box.prior]
        alive = tuple(Candidate(peak=peak, schedule=chosen) for peak in peaks)
        return Search(alive, rungs, self.tie)

    def _rungs(
        self, schedule: Schedule | None, total_steps: int, candidates: int, cap: int
    ) -> tuple[Rung, ...]:
        first = max(_FLOOR, self.horizons[0] * total_steps)
        if schedule is not None:  # a probe that ends before the peak is reached tells nothing
            first = max(first, 1.5 * float(schedule.values(total_steps).argmax()))
        wished = [first] + [max(share * total_steps, 2 * first) for share in self.horizons[1:]]
        if candidates == 1:
            wished = wished[:1]
        horizons = [round(min(horizon, 0.5 * total_steps)) for horizon in wished]
        return plan_rungs(horizons, self.cooldown, candidates, cap)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a user may set of an online search beside a run, checked.

    Args:
        strategy: ``"annealed"`` or a strategy object.
        schedule: A schedule, the name of a profile or a mapping; None for `default_schedule`.
        budget: Probe steps at most, as a share of the run's steps.
        rates: Lowest and highest peak; None: within a factor 16 of the customary peak.

    Raises:
        ConfigError: If a value cannot work.
        UnsupportedError: For a strategy that rewinds the run, which a Trainer cannot.
    """

    strategy: object = "annealed"
    schedule: object = None
    budget: float = 0.25
    rates: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self._annealed()
        if self.schedule is not None:
            schedules.parse(self.schedule)
        if not (_is_number(self.budget) and 0 < self.budget < math.inf):
            raise ConfigError.of("budget", self.budget, "a positive share of the run's steps")
        if self.rates is not None:
            self._box(math.nan)

    def begin(self, prior: float, total_steps: int) -> Search:
        """Return the search for a run of ``total_steps`` optimizer steps.

        Args:
            prior: The optimizer's customary peak.
            total_steps: Optimizer steps of the run.

        Raises:
            ConfigError: If ``total_steps`` is not a positive whole number.
        """
        if not isinstance(total_steps, int) or total_steps < 1:
            raise ConfigError.of("total_steps", total_steps, "a whole number of at least 1")
        schedule = None if self.schedule is None else schedules.parse(self.schedule)
        cap = int(self.budget * total_steps)
        return self._annealed().begin(self._box(prior), schedule, total_steps, cap)

    def live(self, search: Search, prior: float) -> Candidate:
        """Return the candidate with which the run begins: the one closest to the prior peak."""
        target = math.log(self._box(prior).prior)
        return min(search.alive, key=lambda c: abs(math.log(c.peak or math.nan) - target))

    def _annealed(self) -> Annealed:
        strategy = parse_strategy(self.strategy)
        if isinstance(strategy, AutoLRS):
            raise UnsupportedError(
                "strategy='autolrs' rewinds the run, which a Trainer cannot: use autolr.search()"
            )
        return strategy

    def _box(self, prior: float) -> Box:
        return parse_rates(self.rates, prior)


def parse_rates(rates: object, prior: float) -> Box:
    """Return the box of a pair (low, high); None: the rates around a prior peak.

    Raises:
        ConfigError: If it is neither.
    """
    if rates is None:
        return Box.around(prior)
    if isinstance(rates, tuple | list) and len(rates) == 2 and all(map(_is_number, rates)):
        return Box.between(float(rates[0]), float(rates[1]))
    raise ConfigError.of("rates", rates, "a pair (low, high)")


def default_schedule(rungs: tuple[Rung, ...]) -> Schedule:
    """Return a warm-up within a third of the first probe, a plateau, and a linear end of 20 %.

    Without rungs the warm-up takes 3 % of the run.
    """
    rise = max(2, rungs[0].horizon // 3) if rungs else 0.03
    return schedules.warmup(rise) | schedules.constant() | schedules.cooldown(0.2, "linear")


def parse_strategy(strategy: object) -> Annealed | AutoLRS:
    """Return the strategy for a name or a strategy object.

    Raises:
        ConfigError: If there is no such strategy.
    """
    if strategy == "annealed":
        return Annealed()
    if strategy == "autolrs":
        return AutoLRS()
    if isinstance(strategy, Annealed | AutoLRS):
        return strategy
    raise ConfigError.of("strategy", strategy, _STRATEGIES)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _log_spaced(box: Box, count: int) -> list[float]:
    if count == 1:
        return [box.prior]
    ratio = (box.high / box.low) ** (1 / (count - 1))
    peaks = [box.low, *(box.low * ratio**index for index in range(1, count - 1)), box.high]
    return [box.prior if math.isclose(peak, box.prior) else peak for peak in peaks]
