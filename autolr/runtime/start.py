"""How a search starts: its prior peak, its strategy's first action, and what the user reads."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online.actions import Commit
from autolr.online.kept import Kept
from autolr.online.progress import Progress
from autolr.result.messages import excluded, opening, unsearched
from autolr.runtime.learner import Learner
from autolr.runtime.optimizer_peaks import users_rate
from autolr.runtime.rates import Rates
from autolr.runtime.repeatability import obstacle_to_rivals, verify
from autolr.runtime.scan import prior_peak

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


def start_search(
    learner: Learner,
    rates: Rates,
    settings: "SearchSettings",
    total_steps: int,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    *,
    own_peak: float | None = None,
    rise: int | None = None,
    deadline: int | None = None,
) -> tuple[Progress, Candidate]:
    """Return the search, and the candidate that the run trains first.

    Args:
        learner: The run, with its first batch.
        rates: The rates of its optimizer.
        settings: What the user has set.
        total_steps: Optimizer steps of the run.
        say: Called with each line for the user.
        warn: Called with each line that the user should act on.
        own_peak: Highest rate of the scheduler of the user's module; None without one.
        rise: Step at which the scheduler of the user's module reaches its peak; None without one.
        deadline: Step by which the search has to be over; None: ``total_steps``.
    """
    obstacles = _obstacles(learner, settings)
    if obstacles:
        live = _users_candidate(rates, settings, total_steps, rise)
        for line in unsearched(obstacles, live):
            warn(line)
        return Progress(Kept(Commit(live))), live
    prior, scan = prior_peak(learner, rates, settings, total_steps)
    given = users_rate(learner.optimizer, rates) if own_peak is None else own_peak
    run = settings.run_info(
        prior, total_steps, rates.base, given, scan=scan, rise=rise, deadline=deadline
    )
    search = settings.begin(run, scan)
    live = run.nearest(search.candidates)
    for line in opening(search, live, run.deadline):
        say(line)
    for line in excluded(settings.left_out(run, search.candidates)):
        say(line)
    return search, live


def _obstacles(learner: Learner, settings: "SearchSettings") -> list[str]:
    """Return why copies of the run cannot be trained, on any rank."""
    repeat = not settings.is_single
    by_rank = learner.ranks.gather(lambda: obstacle_to_rivals(learner, repeat=repeat))
    reasons = [reason for reason in by_rank if reason is not None]
    if reasons or not settings.verify:
        return reasons[:1]
    return next(filter(None, learner.ranks.gather(lambda: verify(learner))), [])


def _users_candidate(
    rates: Rates, settings: "SearchSettings", total_steps: int, rise: int | None
) -> Candidate:
    """Return what the user has set, without a search."""
    run = settings.run_info(rates.base, total_steps, rates.base, rates.base, rise=rise)
    rule, peak = run.fallback
    return Candidate(rule, peak, run.schedule or schedules.constant())
