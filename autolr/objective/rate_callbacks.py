"""The callbacks that have a run follow a candidate."""

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.callbacks.namespaces import Callback
from autolr.candidate import Candidate
from autolr.job import PeakSearch
from autolr.online.annealed_within import AnnealedWithin
from autolr.tune_config import TuneConfig


def rate_callbacks(
    candidate: Candidate, tune: TuneConfig, search: PeakSearch | None = None
) -> list[Callback]:
    """Return the callbacks that set the candidate's rate: its rule's, if there is one, first.

    Args:
        candidate: Without a peak, `AutoLR` searches it inside the run.
        tune: Names the monitor and its mode.
        search: What that search may choose; None: any peak.
    """
    applied: list[Callback] = []
    if not candidate.is_own:
        applied = [ApplyRule(candidate.rule, dict(candidate.rule_settings))]
    if candidate.peak is None:
        return [*applied, _searching(candidate, tune, search)]
    return [*applied, FollowCandidate(candidate.peak, candidate.schedule)]


def _searching(candidate: Candidate, tune: TuneConfig, search: PeakSearch | None) -> AutoLR:
    free = search is not None and search.chooses_schedule
    return AutoLR(
        "annealed" if search is None else AnnealedWithin(low=search.rates[0], high=search.rates[1]),
        schedule=None if free else candidate.schedule,
        monitor=tune.monitor,
        mode=tune.mode,
    )
