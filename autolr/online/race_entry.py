"""A rule that races, and its peaks."""

import math
from dataclasses import dataclass, replace

from autolr.online.peaks import PeakRange
from autolr.rules.fixed import OWN
from autolr.space import Value

_SAME = 1.5  # a factor between two peaks that need not both race
_NEAR = (0.5, 1.0, 2.0)  # what races around the peak of an earlier search, in units of it
_BEYOND = 2.0  # a factor beyond the ends of a race: that of the first step behind an end that wins
FAR = 8.0  # a factor: a user's peak farther from the customary one has the race laid around it, as
#            half of the customary range would be of no use
SEVERAL = 3  # peaks of a rule beside others: its default and one on either side


@dataclass(frozen=True, slots=True)
class RaceEntry:
    """A rule that races, and the peaks that it may have.

    Attributes:
        peak_range: The peaks.
        rule: One of `autolr.rules.names`.
        settings: Of the rule, as pairs.
        own: The rate of the user's optimizer, which races too; None of another rule.
        chosen: Whether he has certainly set it; else it is torch's default.
        near: The peak of an earlier search: three around it race, and ``own`` where they do not
            reach it, so that an earlier search that is wrong costs little.
    """

    peak_range: PeakRange
    rule: str = OWN
    settings: tuple[tuple[str, Value], ...] = ()
    own: float | None = None
    chosen: bool = True
    near: float | None = None

    def around(self, peak: float, customary: float) -> "RaceEntry":
        """Return the entry that races around the peak of an earlier search.

        Args:
            peak: That peak, or the nearest that the limits allow.
            customary: What races beside it where the user has set no peak.
        """
        if self.peak_range.limits:
            peak = min(max(peak, self.peak_range.low), self.peak_range.high)
        own = self.own if self.chosen and self.own is not None else customary
        return replace(self, near=peak, own=own, chosen=True)

    def reaches(self, peak: float) -> bool:
        """Return whether that of an earlier search is near what races without it.

        One that is farther away is taken for wrong: rates around it would lose what the run makes
        of its first steps, and tell nothing of those that are right.
        """
        low, high = self.peak_range.low, self.peak_range.high
        return self.peak_range.limits or low / _BEYOND <= peak <= high * _BEYOND

    @property
    def trusts_own(self) -> bool:
        """Whether the user has set a peak, and what a scan has seen, if one was made, agrees."""
        prior = self.peak_range.prior
        return self.chosen and self.own is not None and prior / FAR <= self.own <= prior * FAR

    def peaks(self, count: int) -> list[float]:
        """Return at most so many peaks, rising, and that of the user's optimizer among them.

        The own one takes the place of another that is within a factor of 1.5, else it is one more.
        """
        if self.near is not None:
            return [self.near] if count == 1 else sorted([*self.trio, *self._insurance()])
        peaks = self._spaced(count)
        if self.own is None or not self._allows(self.own):
            return peaks
        if count == 1:
            return [self.own]
        far = [p for p in peaks if max(p / self.own, self.own / p) > _SAME]
        return sorted([*far, self.own])

    @property
    def trio(self) -> list[float]:
        """The peaks around that of an earlier search, rising; without one there are none."""
        near = () if self.near is None else (self.near * factor for factor in _NEAR)
        return [peak for peak in near if self._allows(peak)]

    def _insurance(self) -> list[float]:
        """Return the user's own peak where it is out of reach of those around an earlier one."""
        trio = self.trio
        within = self.own is None or trio[0] / _SAME <= self.own <= trio[-1] * _SAME
        return [] if self.own is None or within or not self._allows(self.own) else [self.own]

    def _allows(self, peak: float) -> bool:
        return not self.peak_range.limits or self.peak_range.low <= peak <= self.peak_range.high

    def _spaced(self, count: int) -> list[float]:
        """Return at most so many peaks, rising.

        They are evenly spaced in log rate over the range of peaks; three of another rule than
        "fixed" are its default and the middles between that and the ends of the range.
        """
        low, high, prior = self.peak_range.low, self.peak_range.high, self.peak_range.prior
        if count == 1 or low == high:
            return [prior]
        if self.rule != OWN and count == SEVERAL:
            return [math.sqrt(low * prior), prior, math.sqrt(prior * high)]
        return self.peak_range.spaced(count)

    def limits(self, count: int) -> tuple[float, float, float, float]:
        """Return the lowest and highest peak of any rival, and the ends of so many that race."""
        peaks = self.trio or self.peaks(count)
        ends = (peaks[0], peaks[-1]) if len(peaks) > 1 else (0.0, math.inf)
        return (
            (self.peak_range.low, self.peak_range.high, *ends)
            if self.peak_range.limits
            else (0.0, math.inf, *ends)
        )
