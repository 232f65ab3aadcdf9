"""The description of a run that its strategy gets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online.peaks import PeakRange
from autolr.online.prior_peak import MovedPeak
from autolr.online.race_entry import RaceEntry
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run for which a strategy searches.

    Attributes:
        total_steps: Optimizer steps of the run.
        budget: Steps that probes may make beside the run, at most; infinite without a limit.
        deadline: Step by which every probe has to be scored: ``total_steps``, or less where
            `StochasticWeightAveraging` takes the rate over before the end.
        own_rate: The highest rate of the optimizer's groups, or of the module's own scheduler.
        entries: What may be chosen: rules, each with its peaks, the user's own optimizer first.
        schedule: What every candidate follows; None: the strategy chooses.
        rise: Step at which the rate is highest under ``schedule``, or under the scheduler of the
            user's module, which candidates multiply; None without either.
        profiles: What the strategy may choose from after the peak, where ``schedule`` is None.
        users_peak: ``own_rate`` where the user has certainly set it, in the optimizer or as the top
            of the module's own scheduler; None where it is torch's default.
        rewindable: Whether a strategy that rewinds can rewind the run, which a Trainer cannot.
        prior: The peak of an earlier search, moved to this run; ``entries`` are around a raced one.
        averaged: Whether other code averages the weights, and has the last word on them.
    """

    total_steps: int
    budget: float
    deadline: int
    own_rate: float
    entries: tuple[RaceEntry, ...]
    schedule: Schedule | None = None
    rise: int | None = None
    profiles: tuple[Schedule, ...] = ()
    users_peak: float | None = None
    rewindable: bool = False
    prior: MovedPeak | None = None
    averaged: bool = False

    @property
    def peaks(self) -> PeakRange:
        """The peaks of the first entry."""
        return self.entries[0].peak_range

    @property
    def own(self) -> Candidate:
        """The run as the user has set it, which it stays where nothing is searched.

        The rate is that of the optimizer, unless limits exclude it, and the schedule the one that
        was given, else none: a decay would end a run that no search has made any faster. A rule in
        the place of the optimizer has its own first peak.
        """
        first = self.entries[0]
        rate = self.peaks.fallback(self.own_rate) if first.rule == OWN else self.peaks.prior
        schedule = schedules.constant() if self.schedule is None else self.schedule
        return Candidate(first.rule, rate, schedule, rule_settings=first.settings)

    @property
    def fallback(self) -> tuple[str, float]:
        """Rule and peak of a run in which nothing can be compared.

        The peak is that of an earlier search, or that of the optimizer's groups, unless limits
        exclude it, else the prior one.
        """
        rule = self.entries[0].rule
        if (near := self.entries[0].near) is not None:
            return rule, near
        return rule, self.peaks.fallback(self.own_rate) if rule == OWN else self.peaks.prior

    def nearest(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the candidate by the first rule, if any, whose peak is closest to `fallback`.

        The run begins with it.
        """
        target = math.log(self.fallback[1])
        among = [one for one in candidates if one.rule == self.entries[0].rule]
        return min(
            among or candidates, key=lambda one: abs(math.log(one.peak or math.nan) - target)
        )
