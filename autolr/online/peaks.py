"""The range of peaks from which a search chooses."""

import math
from dataclasses import dataclass

from autolr.errors import ConfigError
from autolr.predicates import is_number


@dataclass(frozen=True, slots=True)
class PeakRange:
    """The range of peaks from which a search chooses.

    Attributes:
        low: Lowest peak.
        high: Highest peak; equal to ``low`` for a single candidate.
        prior: The middle; the peak of a run that is not searched where limits exclude its own.
        limits: Whether no peak outside is ever tried; else a winner at its edge is followed.
    """

    low: float
    high: float
    prior: float
    limits: bool = False

    @classmethod
    def between(cls, low: float, high: float) -> "PeakRange":
        """Return the range within ``low`` and ``high``; its prior is their geometric mean.

        Args:
            low: Lowest peak.
            high: Highest peak.

        Raises:
            ConfigError: If they are not positive, finite and in order.
        """
        if not (0 < low <= high < math.inf):
            raise ConfigError.of("rates", (low, high), "(low, high) with 0 < low <= high")
        return cls(low, high, low if low == high else math.sqrt(low * high), limits=True)

    @classmethod
    def around(cls, prior: float, spread: float = 16.0) -> "PeakRange":
        """Return the range within a factor ``spread`` of a prior peak.

        Args:
            prior: The middle, in log rate.
            spread: The highest peak in units of the prior one, and that in units of the lowest.
        """
        return cls(prior / spread, prior * spread, prior)

    def within(self, low: float, high: float) -> "PeakRange":
        """Return the part of the range that lies in another one; that one where they do not meet.

        Args:
            low: Lowest peak.
            high: Highest peak.
        """
        lowest, highest = max(self.low, low), min(self.high, high)
        if lowest >= highest:
            return PeakRange.between(low, high)
        return PeakRange(lowest, highest, min(max(self.prior, lowest), highest), limits=True)

    def fallback(self, own: float) -> float:
        """Return the peak of a run in which nothing can be compared.

        Args:
            own: That of the optimizer. It counts unless limits exclude it.
        """
        return own if not self.limits or self.low <= own <= self.high else self.prior

    def spaced(self, count: int) -> list[float]:
        """Return so many peaks, evenly spaced in log rate from the lowest to the highest."""
        if count == 1:
            return [self.prior]
        ratio = (self.high / self.low) ** (1 / (count - 1))
        peaks = [self.low, *(self.low * ratio**index for index in range(1, count - 1)), self.high]
        return [self.prior if math.isclose(peak, self.prior) else peak for peak in peaks]


def parse_rates(rates: object, prior: float) -> PeakRange:
    """Return the range of a pair (low, high); None: the range around a prior peak.

    Args:
        rates: What the user has set.
        prior: The peak to search around where that is None.

    Raises:
        ConfigError: If it is neither.
    """
    if rates is None:
        return PeakRange.around(prior)
    if isinstance(rates, tuple | list) and len(rates) == 2 and all(map(is_number, rates)):
        return PeakRange.between(float(rates[0]), float(rates[1]))
    raise ConfigError.of("rates", rates, "a pair (low, high)")
