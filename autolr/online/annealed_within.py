"""The default strategy within a range of peaks that is wider than what a race should span."""

import math
from dataclasses import dataclass, replace

from typing_extensions import override

from autolr.online.annealed import Annealed
from autolr.online.annealed_state import AnnealedState
from autolr.online.run_info import RunInfo


@dataclass(frozen=True, slots=True)
class AnnealedWithin(Annealed):
    """`Annealed` that never tries a peak outside of a range.

    The peaks that race are those around the customary one, as without the range, as far as it has
    them: five over three decades would be too far apart. Later rivals may have any peak in it.

    Args:
        low: Lowest peak.
        high: Highest peak.
    """

    low: float = 0.0
    high: float = math.inf

    @override
    def begin(self, run: RunInfo) -> AnnealedState:
        """Return the search of a run; see `Annealed`."""
        ranges = (entry.peak_range.within(self.low, self.high) for entry in run.entries)
        entries = tuple(
            replace(entry, peak_range=peaks)
            for entry, peaks in zip(run.entries, ranges, strict=True)
        )
        state = Annealed.begin(self, replace(run, entries=entries))
        several = tuple(  # rules that race; of a single one the search has the limits itself
            (rule, (self.low, self.high, first, last))
            for rule, (_, _, first, last) in state.search.limits
        )
        search = replace(state.search, limits=several, lowest=self.low, highest=self.high)
        return replace(state, search=search)
