"""The run as the user has set it, as a candidate."""

from autolr import schedules
from autolr.candidate import Candidate
from autolr.rules.fixed import OWN
from autolr.runtime.rates import Rates


def own_candidate(rates: Rates) -> Candidate:
    """Return the candidate at which every factor is 1: the run without rates of ours.

    Args:
        rates: Of the run's optimizer.
    """
    return Candidate(OWN, rates.own_peak, schedules.constant())
