"""A rule that races, and its peaks."""

import math
from dataclasses import dataclass

from autolr.online.peaks import PeakRange
from autolr.rules.fixed import OWN
from autolr.space import Value

SEVERAL = 3  # peaks of a rule beside others: its default and one on either side


@dataclass(frozen=True, slots=True)
class RaceEntry:
    """A rule that races, and the peaks that it may have.

    Attributes:
        peak_range: The peaks.
        rule: One of `autolr.rules.names`.
        settings: Of the rule, as pairs.
    """

    peak_range: PeakRange
    rule: str = OWN
    settings: tuple[tuple[str, Value], ...] = ()

    def peaks(self, count: int) -> list[float]:
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
        peaks = self.peaks(count)
        ends = (peaks[0], peaks[-1]) if len(peaks) > 1 else (0.0, math.inf)
        return (
            (self.peak_range.low, self.peak_range.high, *ends)
            if self.peak_range.limits
            else (0.0, math.inf, *ends)
        )
