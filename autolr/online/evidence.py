"""What scores say: progress, the noise of a difference, and which candidates are dying."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

from autolr.online.noise import FEWEST_BATCHES, standard_error

_LEFT = 3.0  # standard errors: a gain on the untrained run that is hardly ever noise
# Units of a layer beyond those of the least affected candidate. Where all of a layer's units work,
# 0.1 are silent on a batch; in the network that dies of its rate it was 0.5 while the loss fell.
_DYING = 0.2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The scores of a probe, and what they are compared with.

    Attributes:
        scores: Of the candidates, in their order; lower is better. One that is not finite becomes
            infinite: it diverged.
        by_batch: Those by validation batch; None where they are not known.
        initial: The score of the run before its first step; None where it is not known.
        initial_batches: That by validation batch; empty where it is not known.
        inactive: Of the candidates, in their order: see `Observation`. Empty where not known.
        beside: The score of one that is not compared yet; None: there is none.
    """

    scores: tuple[float, ...]
    by_batch: tuple[tuple[float, ...], ...] | None = None
    initial: float | None = None
    initial_batches: tuple[float, ...] = ()
    inactive: tuple[float, ...] = ()
    beside: float | None = None

    def __post_init__(self) -> None:
        scores = (score if math.isfinite(score) else math.inf for score in self.scores)
        object.__setattr__(self, "scores", tuple(scores))

    @property
    def best(self) -> int:
        """The index of the best candidate."""
        return min(range(len(self.scores)), key=self.scores.__getitem__)

    @property
    def progress(self) -> float:
        """By how much the best candidate has gained on the untrained run; NaN if not known."""
        return self.gain(self.best)

    @property
    def knows_noise(self) -> bool:
        """Whether the noise of the progress is known."""
        return self.by_batch is not None and len(self.initial_batches) >= FEWEST_BATCHES

    def batches(self, index: int) -> tuple[float, ...]:
        """Return the scores of a candidate by validation batch; empty if they are not known."""
        return () if self.by_batch is None else self.by_batch[index]

    def without(self, index: int) -> "Evidence":
        """Return the scores without one, which is kept as `beside`.

        Args:
            index: Of that candidate.
        """
        return replace(
            self,
            scores=_but(self.scores, index),
            by_batch=None if self.by_batch is None else _but(self.by_batch, index),
            inactive=_but(self.inactive, index),
            beside=self.scores[index],
        )

    def noise(self, one: int, other: int) -> float:
        """Return the standard error of the difference of two candidates; 0 if it is not known.

        Args:
            one: Index of a candidate.
            other: Index of another.
        """
        return standard_error(self.batches(one), self.batches(other))

    def nothing_to_see(self, least: float) -> bool:
        """Return whether no candidate has clearly left the score of the untrained run.

        Args:
            least: The gain that counts, as a share of the size of that score.
        """
        return not (math.isnan(self.progress) or self.has_left(self.best, least))

    def gain(self, index: int) -> float:
        """Return by how much a candidate has gained on the untrained run; NaN if not known.

        Args:
            index: Of the candidate.
        """
        if self.initial is None or not math.isfinite(self.initial):
            return math.nan
        return self.initial - self.scores[index]

    def has_left(self, index: int, least: float, enough: float = 0.0) -> bool:
        """Return whether a candidate has clearly left the score of the untrained run.

        Args:
            index: Of the candidate.
            least: The gain that counts, as a share of the size of that score.
            enough: The same, in units of the score.
        """
        if self.initial is None or math.isnan(self.progress):
            return False
        noise = _LEFT * standard_error(self.initial_batches, self.batches(index))
        return self.gain(index) > max(least * abs(self.initial), noise, enough)

    def is_dying(self, index: int) -> bool:
        """Return whether a candidate loses many more units than the least affected one."""
        pairs = zip(self.inactive, self.scores, strict=True) if self.inactive else ()
        shares = [share for share, score in pairs if math.isfinite(score)]
        return bool(shares) and self.inactive[index] > min(shares) + _DYING

    def does_harm(self, index: int, most: float) -> bool:
        """Return whether a candidate is dying, has diverged, or is worse than the untrained run.

        Args:
            index: Of the candidate.
            most: How much worse it may be, as a share of the size of that score.
        """
        return self.is_dying(index) or self.is_worse(index, most)

    def is_worse(self, index: int, most: float) -> bool:
        """Return whether a candidate has diverged, or is worse than the untrained run.

        Args:
            index: Of the candidate.
            most: How much worse it may be, as a share of the size of that score.
        """
        score = self.scores[index]
        if not math.isfinite(score):
            return True
        return self.initial is not None and score > self.initial + most * abs(self.initial)


def _but(values: tuple[_T, ...], index: int) -> tuple[_T, ...]:
    return values[:index] + values[index + 1 :]
