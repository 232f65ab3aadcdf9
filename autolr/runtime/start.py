"""How a search starts: its prior peak, its strategy's first action, and what the user reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autolr.candidate import Candidate
from autolr.online.actions import Commit
from autolr.online.kept import Kept
from autolr.online.prior_peak import check_optimizer
from autolr.online.progress import Progress
from autolr.online.rounds import COPIES
from autolr.online.run_info import RunInfo
from autolr.online.scan import Scan
from autolr.result.messages import excluded, opening, unsearched
from autolr.runtime.learner import Learner
from autolr.runtime.optimizer_peaks import name_of, prior_of, users_rate
from autolr.runtime.rates import Rates
from autolr.runtime.repeatability import obstacle_to_rivals, verify
from autolr.runtime.scan import prior_peak

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


@dataclass(frozen=True, slots=True)
class Setup:
    """What is known of a search before its run begins.

    Attributes:
        settings: What the user has set.
        total_steps: Optimizer steps of the run.
        own_peak: Highest rate of the scheduler of the user's module; None without one.
        rise: Step at which the scheduler of the user's module reaches its peak; None without one.
        deadline: Step by which the search has to be over; None: ``total_steps``.
        data: The loader of the training data; None: not known.
        averaged: See `RunInfo`.
    """

    settings: "SearchSettings"
    total_steps: int
    own_peak: float | None = None
    rise: int | None = None
    deadline: int | None = None
    data: object = None
    averaged: bool = False

    def run_info(self, rates: Rates, prior: float, scan: Scan | None) -> RunInfo:
        """Return what the strategy gets.

        Args:
            rates: The rates of the run's optimizer.
            prior: The peak around which to search.
            scan: The scan that found it, if there was one.

        Raises:
            ConfigError: If a prior of the user's is of another optimizer.
        """
        if (known := self.settings.prior) is not None and not self.settings.is_single:
            check_optimizer("prior", known.optimizer, name_of(rates.optimizer))
        given = users_rate(rates.optimizer, rates) if self.own_peak is None else self.own_peak
        run = self.settings.run_info(
            prior,
            self.total_steps,
            rates.base,
            given,
            scan=scan,
            rise=self.rise,
            deadline=self.deadline,
        )
        return replace(run, averaged=self.averaged)


def start_search(
    learner: Learner,
    rates: Rates,
    setup: Setup,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> tuple[Progress, Candidate]:
    """Return the search, and the candidate that the run trains first.

    Args:
        learner: The run, with its first batch.
        rates: The rates of its optimizer.
        setup: What is known of it.
        say: Called with each line for the user.
        warn: Called with each line that the user should act on.
    """
    compares = not setup.settings.is_single and _compares(rates, setup)
    if obstacles := _obstacles(learner, setup, repeat=compares):
        return keep_users_rate(obstacles, rates, setup, warn)
    prior, scan = prior_peak(learner, rates, setup.settings, setup.total_steps)
    run = setup.run_info(rates, prior, scan)
    return _opened(setup.settings.begin(run, scan), run, setup, say)


def without_search(
    rates: Rates, setup: Setup, say: Callable[[str], None]
) -> tuple[Progress, Candidate] | None:
    """Return what `start_search` would, for a run in which nothing is scored; None for any other.

    A run may be too short for any round, and a strategy may commit to a candidate at once.

    Args:
        rates: The rates of the run's optimizer.
        setup: What is known of the search.
        say: Called with each line for the user.
    """
    first = None if setup.settings.verify else _first(rates, setup)
    if first is None or first[1].searching:
        return None
    run, search = first
    return _opened(search, run, setup, say)


def keep_users_rate(
    obstacles: Sequence[str], rates: Rates, setup: Setup, warn: Callable[[str], None]
) -> tuple[Progress, Candidate]:
    """Return a search that is over, and what the user has set, with which the run continues.

    Args:
        obstacles: Why no rivals can be trained.
        rates: The rates of the run's optimizer.
        setup: What is known of the search.
        warn: Called with each line that the user should act on.
    """
    live = _users_candidate(rates, setup)
    for line in unsearched(obstacles, live, scheduled=setup.own_peak is not None):
        warn(line)
    return Progress(Kept(Commit(live))), live


def most_copies(rates: Rates, setup: Setup) -> int:
    """Return how many copies of the run a search holds at once, at most; 0 if it is too short.

    Args:
        rates: The rates of the run's optimizer.
        setup: What is known of the search.
    """
    prior = prior_of(rates)  # where a scan decides, as many race around another peak
    run = setup.run_info(rates, rates.base if prior is None else prior, None)
    search = setup.settings.begin(run, None)
    later = COPIES + 1  # the best state beside them
    return max(len(search.candidates) - 1, later) if search.searching else 0


def begins_with(rates: Rates, setup: Setup) -> Candidate | None:
    """Return the candidate with which `start_search` will begin; None where a scan decides.

    Args:
        rates: The rates of the run's optimizer.
        setup: What is known of the search.
    """
    if (first := _first(rates, setup)) is None:
        return None
    run, search = first
    return run.nearest(search.candidates)


def _first(rates: Rates, setup: Setup) -> tuple[RunInfo, Progress] | None:
    """Return how the search begins; None where a scan decides."""
    prior = prior_of(rates)
    if prior is None and setup.settings.scan(rates.base, setup.total_steps) is not None:
        return None
    run = setup.run_info(rates, rates.base if prior is None else prior, None)
    return run, setup.settings.begin(run, None)


def _opened(
    search: Progress, run: RunInfo, setup: Setup, say: Callable[[str], None]
) -> tuple[Progress, Candidate]:
    """Return a search and what the run trains first, and say what the user should know of it."""
    live = run.nearest(search.candidates)
    for line in opening(search, live, run.deadline, scheduled=setup.own_peak is not None):
        say(line)
    for line in excluded(setup.settings.left_out(run, search.candidates)):
        say(line)
    return search, live


def _compares(rates: Rates, setup: Setup) -> bool:
    """Return whether anything is compared; a run may be too short for it."""
    first = _first(rates, setup)
    return first is None or first[1].searching


def _obstacles(learner: Learner, setup: Setup, *, repeat: bool) -> list[str]:
    """Return why copies of the run cannot be trained, on any rank."""
    by_rank = learner.ranks.gather(
        lambda: obstacle_to_rivals(learner, repeat=repeat, data=setup.data)
    )
    reasons = [reason for reason in by_rank if reason is not None]
    if reasons or not setup.settings.verify:
        return reasons[:1]
    return next(filter(None, learner.ranks.gather(lambda: verify(learner))), [])


def _users_candidate(rates: Rates, setup: Setup) -> Candidate:
    """Return what the user has set, without a search."""
    own, steps = rates.base, setup.total_steps
    return setup.settings.run_info(own, steps, own, own, rise=setup.rise).own
