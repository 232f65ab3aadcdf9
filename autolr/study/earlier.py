"""What an earlier search or study leaves to a study: a peak for whole runs with a plateau."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolr.study.names import OWN_PEAK, SEARCHED
from autolr.study.prior import PLATEAU, SHARE, middle_of

if TYPE_CHECKING:
    from autolr.online.prior_peak import PriorPeak


def moved_peak(prior: "PriorPeak", run_steps: int) -> float:
    """Return the peak of whole runs to which the peak of an earlier search amounts.

    It is moved as `AutoLR` does that, to the schedule of a search.

    Args:
        prior: What the search has settled on, and its run.
        run_steps: Optimizer steps of the runs to come.
    """
    from autolr.online.annealed import default_schedule  # here: reading a study needs none

    return SHARE * prior.moved(default_schedule(()), run_steps).peak


def peak_of_search(peak: float) -> float:
    """Return the peak around which a search begins, of its own schedule: `moved_peak` undone.

    Args:
        peak: That of whole runs.
    """
    return peak / SHARE


def peak_of_trial(attrs: Mapping[str, Any], run_steps: int) -> float | None:
    """Return the peak that a trial of an earlier study leaves to this one; None without one.

    For the shape of a module's own scheduler, which is not known, a linear decay stands.

    Args:
        attrs: Of the trial, which has ended.
        run_steps: Optimizer steps of the runs to come.
    """
    if middle_of(attrs) is None:
        return None
    from autolr import schedules  # here: reading a study needs none
    from autolr.online.prior_peak import PriorPeak

    found, steps, scheduled = attrs["found"], int(attrs["run_steps"]), OWN_PEAK in attrs
    peak, schedule = float(found["peak"]), schedules.Schedule.from_dict(found["schedule"])
    if attrs.get(SEARCHED):
        return moved_peak(PriorPeak(peak, schedule, steps, scheduled=scheduled), run_steps)
    shape = schedules.linear() * schedule if scheduled else schedule
    return PriorPeak(peak, shape, steps).moved(schedules.parse(PLATEAU), run_steps).peak
