"""The callbacks that have a run follow a candidate."""

from dataclasses import replace

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.callbacks.namespaces import Callback
from autolr.callbacks.trial_rates import FollowPeak, KeepsShape, SearchPeak, SearchTrial
from autolr.candidate import Candidate
from autolr.job import PeakSearch
from autolr.names import meaning
from autolr.online.annealed_within import AnnealedWithin
from autolr.online.prior_peak import PriorPeak
from autolr.space import Space
from autolr.tune_config import TuneConfig


def rate_callbacks(
    candidate: Candidate,
    tune: TuneConfig,
    space: Space,
    search: PeakSearch | None = None,
    near: PriorPeak | None = None,
) -> list[Callback]:
    """Return the callbacks that set the candidate's rate: its rule's, if there is one, first.

    Args:
        candidate: Without a peak, `AutoLR` searches it inside the run.
        tune: Names the monitor and its mode.
        space: Where it names no schedule, a module's own scheduler keeps its shape.
        search: What that search may choose; None: any peak.
        near: The peak around which it begins; None: the customary one.
    """
    applied: list[Callback] = []
    if not candidate.is_own:
        applied = [ApplyRule(candidate.rule, dict(candidate.rule_settings))]
    if candidate.peak is None:
        return [*applied, _searching(candidate, tune, space, search, near)]
    follow = FollowCandidate if shaping(space) else FollowPeak
    return [*applied, follow(candidate.peak, candidate.schedule)]


def shaping(space: Space) -> tuple[str, ...]:
    """Return the parameters of a space that say how a schedule is shaped."""
    own = (name for name in space.names if name not in space.paths)
    return tuple(name for name in own if meaning(name) not in ("lr", "rule"))


def own_peak(callback: Callback) -> float | None:
    """Return the peak of the module's own scheduler, whose shape a run has kept.

    Args:
        callback: The last of `rate_callbacks`, after the run or a part of it.
    """
    return callback.own_peak if isinstance(callback, KeepsShape) else None


def _searching(
    candidate: Candidate,
    tune: TuneConfig,
    space: Space,
    search: PeakSearch | None,
    near: PriorPeak | None,
) -> AutoLR:
    kind = SearchTrial if shaping(space) else SearchPeak
    free = search is not None and search.chooses_schedule
    return kind(
        near,
        strategy="annealed" if search is None else _within(search),
        schedule=None if free else candidate.schedule,
        monitor=tune.monitor,
        mode=tune.mode,
    )


def _within(search: PeakSearch) -> AnnealedWithin:
    within = AnnealedWithin(low=search.rates[0], high=search.rates[1])
    return within if search.budget is None else replace(within, budget=search.budget)
