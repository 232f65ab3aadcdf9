"""Strategies: from the peak_range of rates and the length of a run to a search."""

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from autolr import schedules
from autolr.candidate import Candidate
from autolr.domains import Value
from autolr.errors import ConfigError, UnsupportedError
from autolr.online.autolrs import AutoLRS
from autolr.online.peaks import PeakRange, parse_rates
from autolr.online.plan import Check, Round
from autolr.online.profiles import RunSpace
from autolr.online.race import RaceEntry, candidates_of, left_out, plan_race, race_entries
from autolr.online.scan import Scan
from autolr.online.search import Search, Thresholds
from autolr.predicates import is_number
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.strict_yaml import Source

_FLOOR = 20  # steps of the race, where the budget allows them
_STRATEGIES = "'annealed', 'autolrs', or a strategy object"


_WATCHED = (0.32, 0.37, 0.42, 0.47, 0.52, 0.57, 0.65, 0.73, 0.81, 0.89, 0.97)  # of the run
_PROFILED = (0.12, 0.15)  # of the run: when profiles are compared
_CHECKS = (
    Check(0.025, 0.045, factors=(0.5, 2.0), refines=True),
    Check(0.09, 0.115, factors=(0.5, 2.0)),
    Check(0.20, 0.23, factors=(0.5, 2.0)),
    *(Check(end, end) for end in _WATCHED),
)


@dataclass(frozen=True, slots=True)
class Annealed:
    """Score each peak by the loss it would have if it were annealed now, and go on comparing.

    Candidates are runs: the run's own first steps under its schedule, each at its own peak. A
    score is the validation loss of the average of a run's last steps, which stands for a copy
    annealed to a rate of zero and costs no step (Sandler et al. 2023, arXiv:2301.02312; Izmailov
    et al. 2018, arXiv:1803.05407): rates are compared as the end of the run will compare them, not
    by how fast the loss falls at first (short-horizon bias: Wu et al. 2018, arXiv:1803.02021).
    After the race the winner is compared with copies of itself at other rates, all of them further
    out when it won at the edge of the peak_range, and with its own past: when its score is worse than an
    earlier one, weights and optimizer go back there and the rate is halved.

    Args:
        candidates: How many peaks race, spaced evenly in log rate. Rules that race beside the
            user's own optimizer have up to three.
        race: Length of the race, as a share of the run, but at least 20 steps.
        checks: The comparisons after it, rising.
        thresholds: When a difference of scores counts.

    Raises:
        ConfigError: If a value is out of its range.
    """

    candidates: int = 5
    race: float = 0.025
    checks: tuple[Check, ...] = _CHECKS
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ConfigError.of("candidates", self.candidates, "at least 1")
        if not 0 < self.race < 1:
            raise ConfigError.of("race", self.race, "a share of the run in (0, 1)")
        ends = [check.end for check in self.checks]
        if ends != sorted(set(ends)) or not all(0 < c.start <= c.end < 1 for c in self.checks):
            raise ConfigError.of("checks", self.checks, "rising shares of the run in (0, 1)")

    def begin(
        self,
        peak_range: PeakRange,
        schedule: Schedule | None,
        total_steps: int,
        cap: int,
        profiles: tuple[Schedule, ...] = (),
        rules: tuple[RaceEntry, ...] = (),
    ) -> Search:
        """Return the search for a run.

        Args:
            peak_range: The peaks to choose from.
            schedule: The run's schedule; None for `default_schedule`.
            total_steps: Optimizer steps of the run.
            cap: Steps outside the live run, at most.
            profiles: What may follow the race, where ``schedule`` is None. They are compared in
                place of other rates, after the peak has been refined.
            rules: What races, the most wished first; empty: the optimizer as it is, with the peaks
                of ``peak_range``.

        Returns:
            A search whose rounds fit under ``cap``; without rounds where nothing fits: it commits
            to the prior peak at once. A peak_range of a single peak is scored once and only followed.
        """
        entries = rules or (RaceEntry(peak_range),)
        first = entries[0].peak_range
        alone = len(entries) == 1 and first.low == first.high
        checks = _with_profiles(() if alone else self.checks, profiles)
        race = self._race(schedule, total_steps)
        line_up, rounds = plan_race(entries, self.candidates, race, checks, (total_steps, cap))
        alive = candidates_of(line_up, schedule or default_schedule(rounds))
        limits = tuple((entry.rule, entry.limits(peaks)) for entry, peaks in line_up)
        search = Search(alive, rounds, self.thresholds, limits=limits)
        return search if len(line_up) > 1 else search.of_its_rule()

    def _race(self, schedule: Schedule | None, total_steps: int) -> int:
        length = max(_FLOOR, round(self.race * total_steps))
        if schedule is not None:  # a race that ends before the peak is reached tells less
            length = max(length, round(1.5 * float(schedule.values(total_steps).argmax())))
        return min(length, total_steps // 2)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a user may set of an online search beside a run, checked.

    Args:
        strategy: ``"annealed"`` or a strategy object.
        schedule: A schedule, the name of a profile or a mapping; None for `default_schedule`.
        budget: Probe steps at most, as a share of the run's steps.
        rates: Lowest and highest peak; None: within a factor 16 of the customary peak, or of a
            tenth of the rate at which a `Scan` diverges, and beyond where the winner is at the
            edge of that.
        candidates: A space of peaks and profiles, see `RunSpace`; None: only peaks are searched.

    Raises:
        ConfigError: If a value cannot work.
        UnsupportedError: For a strategy that rewinds the run, which a Trainer cannot.
    """

    strategy: object = "annealed"
    schedule: object = None
    budget: float = 0.25
    rates: tuple[float, float] | None = None
    candidates: object = None

    def __post_init__(self) -> None:
        self._annealed()
        if self.schedule is not None:
            schedules.parse(self.schedule)
        if not (is_number(self.budget) and 0 < self.budget < math.inf):
            raise ConfigError.of("budget", self.budget, "a positive share of the run's steps")
        if self.rates is not None:
            self._peak_range(math.nan)
        if self.candidates is not None:
            self._check_alone()
            self._space()

    def scan(self, own: float, total_steps: int) -> Scan | None:
        """Return the scan for an optimizer without a customary peak; None where rates are given.

        None too where the optimizer does not race.

        Args:
            own: The optimizer's own rate.
            total_steps: Optimizer steps of the run.

        Raises:
            ConfigError: If ``total_steps`` is not a positive whole number.
        """
        cap = self._cap(total_steps)
        given = self._space().rates or self.rates or OWN not in self.rules
        return None if given else Scan.around(own, cap)

    def begin(self, prior: float, total_steps: int, scan: Scan | None = None) -> Search:
        """Return the search for a run of ``total_steps`` optimizer steps.

        Args:
            prior: The optimizer's customary peak, or what takes its place.
            total_steps: Optimizer steps of the run.
            scan: What has been spent before; it counts under the budget.

        Raises:
            ConfigError: If ``total_steps`` is not a positive whole number.
        """
        space = self._space()
        schedule = space.schedule if self.schedule is None else schedules.parse(self.schedule)
        cap = self._cap(total_steps) - (scan.steps if scan else 0)
        peak_range, entries = self._peak_range(prior), self._entries(prior)
        search = self._annealed().begin(
            peak_range, schedule, total_steps, cap, space.profiles, entries
        )
        return replace(search, scan=scan)

    @property
    def rules(self) -> dict[str, dict[str, Value]]:
        """The settings of the rules that race, by rule."""
        return {choice.name: dict(choice.settings) for choice in self._space().rules}

    def live(self, search: Search, prior: float) -> Candidate:
        """Return the candidate with which the run begins: the one closest to the prior peak.

        It is the user's own optimizer, where that races.
        """
        first = self._entries(prior)[0]
        target = math.log(first.peak_range.prior)
        among = [candidate for candidate in search.alive if candidate.rule == first.rule]
        return min(among, key=lambda c: abs(math.log(c.peak or math.nan) - target))

    def kept(self, prior: float, own: float | None) -> tuple[str, float]:
        """Return rule and peak with which a run goes on when nothing can be compared.

        Args:
            prior: The optimizer's customary peak, or what takes its place.
            own: The rate that the user has set for it, if he has.
        """
        first = self._entries(prior)[0]
        return first.rule, first.peak_range.kept(
            own
        ) if first.rule == OWN else first.peak_range.prior

    def left_out(self, search: Search, prior: float) -> tuple[str, ...]:
        """Return the rules of the space that do not race."""
        return (*left_out(self._entries(prior), search.alive), *self._space().unread)

    def _cap(self, total_steps: int) -> int:
        if not isinstance(total_steps, int) or total_steps < 1:
            raise ConfigError.of("total_steps", total_steps, "a whole number of at least 1")
        return int(self.budget * total_steps)

    def _annealed(self) -> Annealed:
        strategy = parse_strategy(self.strategy)
        if isinstance(strategy, AutoLRS):
            raise UnsupportedError(
                "strategy='autolrs' rewinds the run, which a Trainer cannot: use autolr.search()"
            )
        return strategy

    def _peak_range(self, prior: float) -> PeakRange:
        return parse_rates(self._space().rates or self.rates, prior)

    def _entries(self, prior: float) -> tuple[RaceEntry, ...]:
        return race_entries(self._space().rules, self._peak_range(prior))

    def _space(self) -> RunSpace:
        if self.candidates is None:
            return RunSpace(None, None)
        return RunSpace.read(cast("Source", self.candidates))

    def _check_alone(self) -> None:
        for name in ("rates", "schedule"):
            if (given := getattr(self, name)) is not None:
                raise ConfigError.of(name, given, "left out: candidates has what there is")


def _with_profiles(checks: tuple[Check, ...], profiles: tuple[Schedule, ...]) -> tuple[Check, ...]:
    """Return the checks with one of profiles, in place of those before it that do not refine."""
    if not profiles:
        return checks
    start, end = _PROFILED
    first = [check for check in checks if check.refines and check.end <= start]
    last = [check for check in checks if check.start >= end]
    return (*first, Check(start, end, profiles=profiles), *last)


def default_schedule(rounds: tuple[Round, ...]) -> Schedule:
    """Return a warm-up within a third of the race, a plateau, and a linear end of 40 %.

    Without rounds the warm-up takes 3 % of the run.
    """
    rise = max(2, rounds[0].horizon // 3) if rounds else 0.03
    return schedules.warmup(rise) | schedules.constant() | schedules.cooldown(0.4, "linear")


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
