"""What scores say: progress, the noise of a difference, and which candidates are dying."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

_FEWEST_BATCHES = 4  # of which a standard error means something
_CLEAR = 3.0  # standard errors: a difference that is hardly ever noise
_DYING = 0.2  # of the units of a layer beyond those of the least affected candidate: a choice


@dataclass(frozen=True, slots=True)
class Evidence:
    """The scores of a probe, and what they are compared with.

    Attributes:
        scores: Of the candidates, in their order; lower is better, infinite if one diverged.
        by_batch: Those by validation batch; None where they are not known.
        initial: The score of the run before its first step; None where it is not known.
        initial_batches: That by validation batch.
        inactive: Of the candidates, in their order: see `Observation`.
    """

    scores: tuple[float, ...]
    by_batch: tuple[tuple[float, ...], ...] | None = None
    initial: float | None = None
    initial_batches: tuple[float, ...] | None = None
    inactive: tuple[float, ...] = ()

    @property
    def best(self) -> int:
        """The index of the best candidate."""
        return min(range(len(self.scores)), key=self.scores.__getitem__)

    @property
    def progress(self) -> float:
        """By how much the best candidate has gained on the untrained run; NaN if not known."""
        if self.initial is None or not math.isfinite(self.initial):
            return math.nan
        return self.initial - self.scores[self.best]

    @property
    def knows_noise(self) -> bool:
        """Whether the noise of the progress is known."""
        batches = self.initial_batches
        return self.by_batch is not None and batches is not None and len(batches) >= _FEWEST_BATCHES

    def noise(self, one: int, other: int) -> float:
        """Return the standard error of the difference of two candidates; 0 if it is not known."""
        if self.by_batch is None:
            return 0.0
        return standard_error(self.by_batch[one], self.by_batch[other])

    def batches(self, index: int) -> tuple[float, ...]:
        """Return the scores of a candidate by validation batch; empty if they are not known."""
        return () if self.by_batch is None else self.by_batch[index]

    def nothing_to_see(self, least: float) -> bool:
        """Return whether no candidate has clearly left the score of the untrained run.

        Args:
            least: The gain that counts, as a share of the size of that score.
        """
        if math.isnan(self.progress):
            return False
        assert self.initial is not None
        noise = 0.0
        if self.by_batch is not None and self.initial_batches is not None:
            noise = standard_error(self.initial_batches, self.by_batch[self.best])
        return self.progress <= max(least * abs(self.initial), _CLEAR * noise)

    def is_dying(self, index: int) -> bool:
        """Return whether a candidate loses many more units than the least affected one."""
        if not self.inactive or not math.isfinite(self.scores[index]):
            return False
        alive = [
            share
            for share, score in zip(self.inactive, self.scores, strict=True)
            if math.isfinite(score)
        ]
        return self.inactive[index] > min(alive) + _DYING

    def does_harm(self, index: int, most: float) -> bool:
        """Return whether a candidate is dying, has diverged, or is worse than the untrained run.

        Args:
            index: Of the candidate.
            most: How much worse it may be, as a share of the size of that score.
        """
        if self.is_dying(index) or not math.isfinite(self.scores[index]):
            return True
        if math.isnan(self.progress):
            return False
        assert self.initial is not None
        return self.scores[index] > self.initial + most * abs(self.initial)

    def within(self, index: int, tie: float) -> bool:
        """Return whether a candidate is as good as the best one, up to ``tie`` and the noise."""
        best = self.best
        return self.scores[index] <= self.scores[best] + max(tie, self.noise(index, best))


def standard_error(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the standard error of the mean difference of paired values; 0 of fewer than 4."""
    if len(one) != len(other) or len(one) < _FEWEST_BATCHES:
        return 0.0
    differences = [a - b for a, b in zip(one, other, strict=True)]
    if not all(map(math.isfinite, differences)):
        return math.inf
    return stdev(differences) / math.sqrt(len(differences))
