"""The default strategy within a range of peaks that is wider than what a race should span."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from autolr.online.annealed import Annealed
from autolr.online.annealed_state import AnnealedState
from autolr.online.peaks import PeakRange
from autolr.online.race_entry import RaceEntry
from autolr.online.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class AnnealedWithin(Annealed):
    """`Annealed` that never tries a peak outside of a range.

    The peaks that race are those around the customary one, as without the range, as far as it has
    them: five over three decades would be too far apart. Later rivals may have any peak in it.
    Around the peak of an earlier search race those that the range has; where that is outside, the
    nearest end takes its place.

    Args:
        low: Lowest peak.
        high: Highest peak.
    """

    low: float = 0.0
    high: float = math.inf

    within: ClassVar[bool] = True

    @override
    def begin(self, run: RunInfo) -> AnnealedState:
        """Return the search of a run; see `Annealed`."""
        entries = tuple(self._limited(entry) for entry in run.entries)
        state = Annealed.begin(self, replace(run, entries=entries))
        several = tuple(  # rules that race; of a single one the search has the limits itself
            (rule, (self.low, self.high, first, last))
            for rule, (_, _, first, last) in state.search.limits
        )
        search = replace(state.search, limits=several, lowest=self.low, highest=self.high)
        return replace(state, search=search)

    def _limited(self, entry: RaceEntry) -> RaceEntry:
        if entry.near is None:
            return replace(entry, peak_range=entry.peak_range.within(self.low, self.high))
        near, prior = map(self._nearest, (entry.near, entry.peak_range.prior))
        return replace(
            entry, peak_range=PeakRange(self.low, self.high, prior, limits=True), near=near
        )

    def _nearest(self, peak: float) -> float:
        return min(max(peak, self.low), self.high)
