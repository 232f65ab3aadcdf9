"""The callbacks that have a run follow a candidate."""

import math

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.callbacks.namespaces import Callback
from autolr.candidate import Candidate
from autolr.job import PeakSearch
from autolr.online import Annealed
from autolr.tune_config import TuneConfig

_APART = 6.0  # a factor between peaks that race, at most; 5 span the three decades of most spaces
_MOST = 8  # peaks that race: more leave no steps for the later checks


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
    if search is None:
        return AutoLR(schedule=candidate.schedule, monitor=tune.monitor, mode=tune.mode)
    low, high = search.rates
    usual = Annealed()
    apart = 1 + math.ceil(math.log(high / low) / math.log(_APART))
    return AutoLR(
        Annealed(candidates=max(usual.candidates, min(apart, _MOST))),
        schedule=None if search.chooses_schedule else candidate.schedule,
        monitor=tune.monitor,
        mode=tune.mode,
        rates=search.rates,
    )
