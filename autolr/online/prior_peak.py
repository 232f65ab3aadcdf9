"""The peak of an earlier search, moved to the run that begins."""

from dataclasses import dataclass

from autolr import schedules
from autolr.errors import ConfigError
from autolr.schedules import Schedule

# Optimizers whose steps have one size at one rate, so that a peak of one is a peak of the other.
_ADAM = ("Adam", "AdamW", "NAdam", "RAdam")


@dataclass(frozen=True, slots=True)
class MovedPeak:
    """A peak that was moved from one run to another.

    Attributes:
        peak: In the run that begins.
        before: In the earlier one.
        steps: Length of the earlier run, in optimizer steps.
        raced: Whether the race is around it; not where it lies far beyond what the run searches,
            nor where the run is too short to search.
    """

    peak: float
    before: float
    steps: int
    raced: bool = True


@dataclass(frozen=True, slots=True)
class PriorPeak:
    """The peak that an earlier search has settled on, and the run that it is of.

    Attributes:
        peak: Where the multiplier of ``schedule`` is 1.
        schedule: What that run followed, with the cuts of later checks.
        total_steps: Optimizer steps of that run.
        optimizer: The name of its optimizer; None: it is not known.
        scheduled: Whether the run kept a scheduler of its module's, whose rates ``schedule``
            multiplies.
    """

    peak: float
    schedule: Schedule
    total_steps: int
    optimizer: str | None = None
    scheduled: bool = False

    def moved(self, schedule: Schedule, total_steps: int, *, scheduled: bool = False) -> MovedPeak:
        """Return the peak for another schedule and length, by `autolr.schedules.transfer`.

        The shape of a module's own scheduler is not known; a linear decay stands for it. Where one
        of both runs keeps such a scheduler, only the length counts.

        Args:
            schedule: Of the run that begins.
            total_steps: Its optimizer steps.
            scheduled: Whether ``schedule`` multiplies the rates of its module's own scheduler.

        >>> from autolr.schedules import linear
        >>> round(PriorPeak(0.1, linear(), 500).moved(linear(), 2000).peak, 4)
        0.0503
        """
        before, after = self.schedule, schedule
        if scheduled != self.scheduled:
            before = after = schedules.linear()
        elif scheduled:
            before, after = schedules.linear() * before, schedules.linear() * after
        peak = schedules.transfer(self.peak, before, self.total_steps, after, total_steps)
        return MovedPeak(peak, self.peak, self.total_steps)


def check_optimizer(setting: str, known: str | None, present: str | None) -> None:
    """Refuse the peak of an optimizer of another family; one that is not known passes.

    Args:
        setting: What names the earlier run.
        known: The class name of its optimizer.
        present: That of the run that begins.

    Raises:
        ConfigError: If a peak of one says nothing of the other.
    """
    same = None in (known, present) or known == present or {known, present} <= set(_ADAM)
    if not same:
        raise ConfigError.of(setting, f"a search of {known}", f"a search of {present}")
