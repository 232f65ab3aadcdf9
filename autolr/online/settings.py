"""The settings of an online search that every strategy has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError, nearest
from autolr.online.annealed import Annealed, default_schedule
from autolr.online.autolrs import AutoLRS
from autolr.online.peaks import PeakRange, parse_rates
from autolr.online.prior_peak import MovedPeak, PriorPeak
from autolr.online.progress import Progress
from autolr.online.race import left_out, race_entries
from autolr.online.race_entry import FAR, RaceEntry
from autolr.online.run_info import RunInfo
from autolr.online.run_space import RunSpace
from autolr.online.scan import Scan
from autolr.online.strategy import Strategy
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.space import Value

if TYPE_CHECKING:
    from autolr.strict_yaml import Source

_NAMED: dict[str, Any] = {"annealed": Annealed, "autolrs": AutoLRS}
_EXPECTED = "'annealed', 'autolrs', or a strategy: a frozen dataclass such as Annealed()"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The settings of an online search, checked.

    Args:
        strategy: The name of a strategy, or a strategy object.
        schedule: A schedule, the name of a profile or a mapping; None: the strategy's own choice.
        rates: Lowest and highest peak; None: within a factor 16 of the customary peak, or of a
            tenth of the rate at which a `Scan` diverges, and beyond where the winner is at the
            edge of that.
        candidates: A space of peaks and profiles, see `RunSpace`; None: only peaks are searched.
        verify: Whether steps are rolled back and made again before the search.
        prior: The peak of an earlier search, around which three peaks race; of no effect where
            there is a single candidate.

    Attributes:
        searcher: The strategy, as an object.
        space: The part of ``candidates`` that the run can choose from.

    Raises:
        ConfigError: If a value cannot work.
    """

    strategy: object = "annealed"
    schedule: object = None
    rates: tuple[float, float] | None = None
    candidates: object = None
    verify: bool = False
    prior: PriorPeak | None = None
    searcher: Strategy = field(init=False, repr=False, compare=False)
    space: RunSpace = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "searcher", parse_strategy(self.strategy))
        if self.schedule is not None:
            schedules.parse(self.schedule)
        if self.rates is not None:
            parse_rates(self.rates, math.nan)
        if not isinstance(self.verify, bool):
            raise ConfigError.of("verify", self.verify, "True or False")
        space = RunSpace(None, None)
        if self.candidates is not None:
            self._check_alone()
            space = RunSpace.read(cast("Source", self.candidates))
        object.__setattr__(self, "space", space)
        self._check_prior()

    @property
    def rules(self) -> dict[str, dict[str, Value]]:
        """The settings of the rules that race, by rule."""
        return {choice.name: dict(choice.settings) for choice in self.space.rules}

    def scan(self, own: float, total_steps: int) -> Scan | None:
        """Return the scan for an optimizer without a customary peak; None where rates are given.

        None too where a prior peak is given, the optimizer does not race, or the strategy has no
        budget.

        Args:
            own: The optimizer's own rate.
            total_steps: Optimizer steps of the run.
        """
        given = self.space.rates or self.rates or self.prior or OWN not in self.rules
        cap = self._cap(total_steps)
        return None if given or math.isinf(cap) else Scan.around(own, int(cap))

    def run_info(
        self,
        prior: float,
        total_steps: int,
        own_rate: float | None = None,
        users_peak: float | None = None,
        *,
        scan: Scan | None = None,
        rise: int | None = None,
        deadline: int | None = None,
    ) -> RunInfo:
        """Return the description of a run that its strategy gets.

        Args:
            prior: The optimizer's customary peak, or what takes its place.
            total_steps: Optimizer steps of the run.
            own_rate: The optimizer's own rate; None: ``users_peak``, else ``prior``.
            users_peak: See `RunInfo`.
            scan: The scan before the search; its steps count under the budget.
            rise: Step at which the scheduler of the user's module reaches its peak; None without.
            deadline: Step by which the search has to be over; None: ``total_steps``.

        Raises:
            ConfigError: If ``total_steps`` is not a positive whole number.
        """
        budget = self._cap(total_steps) - (scan.steps if scan else 0)
        schedule = self._schedule()
        scheduled = rise is not None
        if scheduled:  # candidates multiply the rates of the module's own scheduler
            schedule = schedules.constant()
        elif schedule is not None:
            rise = int(schedule.values(total_steps).argmax())
        middle = users_peak if scan is None else None  # what a scan has seen is more than a habit
        peaks, chosen = self._peak_range(prior, middle), users_peak is not None
        if own_rate is None:
            own_rate = prior if users_peak is None else users_peak
        own, *others = race_entries(self.space.rules, peaks, own_rate, chosen=chosen)
        moved = self._moved(own, schedule, total_steps, scheduled=scheduled)
        own = own.around(moved.peak, prior) if moved is not None and moved.raced else own
        return RunInfo(
            total_steps,
            budget,
            total_steps if deadline is None else deadline,
            own_rate,
            (own, *others),
            schedule,
            rise,
            self.space.profiles,
            users_peak,
            prior=moved,
        )

    def begin(self, run: RunInfo, scan: Scan | None = None) -> Progress:
        """Return the search at its start.

        Args:
            run: What the strategy gets.
            scan: The scan before it, if one was made.
        """
        search = Progress(self.searcher.begin(run), scan, run.prior)
        if search.searching or run.prior is None:
            return search
        return replace(search, prior=replace(run.prior, raced=False))

    def left_out(self, run: RunInfo, racing: Sequence[Candidate]) -> tuple[str, ...]:
        """Return the rules of the space that are not among the candidates.

        Args:
            run: What the strategy got.
            racing: The candidates of the first probe.
        """
        return (*left_out(run.entries, racing), *self.space.unread)

    def _schedule(self) -> Schedule | None:
        return self.space.schedule if self.schedule is None else schedules.parse(self.schedule)

    def _cap(self, total_steps: int) -> float:
        """Return how many steps may be made beside the run."""
        if not isinstance(total_steps, int) or total_steps < 1:
            raise ConfigError.of("total_steps", total_steps, "a whole number of at least 1")
        cap = self.searcher.budget * total_steps
        return cap if math.isinf(cap) else int(cap)

    @property
    def is_single(self) -> bool:
        """Whether there is one peak to choose from, and nothing else."""
        return self.candidates is None and self.rates is not None and len(set(self.rates)) == 1

    def _peak_range(self, prior: float, users_peak: float | None) -> PeakRange:
        """Return the peaks around the prior one, or around the user's own if it is far from that.

        Who sets a rate far from the customary one fine-tunes, or knows his model.
        """
        far = users_peak is not None and max(users_peak / prior, prior / users_peak) > FAR
        middle = users_peak if users_peak is not None and far else prior
        return parse_rates(self.space.rates or self.rates, middle)

    def _moved(
        self, own: RaceEntry, schedule: Schedule | None, total_steps: int, *, scheduled: bool
    ) -> MovedPeak | None:
        """Return the peak of an earlier search in this run; None without one, or a choice."""
        if self.prior is None or own.peak_range.low == own.peak_range.high:
            return None
        follows = default_schedule(()) if schedule is None else schedule
        moved = self.prior.moved(follows, total_steps, scheduled=scheduled)
        within = isinstance(self.searcher, Annealed) and self.searcher.within
        return replace(moved, raced=within or own.reaches(moved.peak))

    def _check_prior(self) -> None:
        if self.prior is None:
            return
        if not isinstance(self.searcher, Annealed):
            raise ConfigError("prior is for the strategy 'annealed': others begin as they do")
        if OWN not in self.rules:
            raise ConfigError("prior is a peak of the run's own optimizer: add fixed to the rules")

    def _check_alone(self) -> None:
        for name in ("rates", "schedule"):
            if (given := getattr(self, name)) is not None:
                raise ConfigError.of(name, given, "left out: candidates has what there is")


def parse_strategy(given: object) -> Strategy:
    """Return the strategy for a name or a strategy object.

    Raises:
        ConfigError: If there is no such strategy, or the object is none.
    """
    if isinstance(given, str) and given in _NAMED:
        return cast("Strategy", _NAMED[given]())
    methods = ("begin", "state_from_dict", "budget", "rewinds")
    if (
        is_dataclass(given)
        and not isinstance(given, type)
        and all(hasattr(given, name) for name in methods)
    ):
        return cast("Strategy", given)
    error = ConfigError.of("strategy", given, _EXPECTED)
    if isinstance(given, str) and given in schedules.names():
        raise ConfigError(f"{error}; did you mean schedule={given!r}?")
    near = nearest(given, list(_NAMED)) if isinstance(given, str) else None
    raise error if near is None else ConfigError(f"{error}; did you mean {near!r}?")
