"""The callbacks that have a run follow a candidate."""

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.callbacks.namespaces import Callback
from autolr.candidate import Candidate
from autolr.tune_config import TuneConfig


def rate_callbacks(candidate: Candidate, tune: TuneConfig) -> list[Callback]:
    """Return the callbacks that set the candidate's rate: its rule's, if there is one, first.

    Args:
        candidate: Without a peak, `AutoLR` searches it inside the run.
        tune: Names the monitor and its mode.
    """
    applied: list[Callback] = []
    if not candidate.is_own:
        applied = [ApplyRule(candidate.rule, dict(candidate.rule_settings))]
    if candidate.peak is None:
        return [*applied, AutoLR(schedule=candidate.schedule, monitor=tune.monitor, mode=tune.mode)]
    return [*applied, FollowCandidate(candidate.peak, candidate.schedule)]
