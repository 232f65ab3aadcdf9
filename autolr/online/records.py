"""The records of a search: scores, rollbacks, and copies that ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolr.candidate import Candidate


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """The score of one candidate.

    Attributes:
        candidate: Whose score it is.
        start: Step of the run at which it was copied from the run; 0 in the race.
        horizon: Step of the run at which it was scored.
        score: Lower is better; infinite when it diverged.
        kept: Whether the run continued with it.
        annealed: Whether it is the score of an annealed copy, see `Probe`. It is not compared
            with other scores of the run.
        forecast: Whether it is a forecast of the training loss, for which the same holds.
    """

    candidate: "Candidate"
    start: int
    horizon: int
    score: float
    kept: bool
    annealed: bool = False
    forecast: bool = False

    def rate(self, total_steps: int) -> float:
        """Return the rate of the last step before the horizon, in a run of so many steps."""
        assert self.candidate.peak is not None
        return self.candidate.peak * self.candidate.schedule.at(self.horizon - 1, total_steps)


def is_blind(scores: Sequence[ProbeScore]) -> bool:
    """Return whether nothing could be compared: of several candidates no score was finite."""
    compared = any(math.isfinite(scored.score) for scored in scores)
    rounds = {scored.horizon for scored in scores}
    return not compared and len(rounds) < len(scores)


@dataclass(frozen=True, slots=True)
class RollbackRecord:
    """The run was restored to its best state, and continued at a lower rate.

    Attributes:
        step: Step of the run at which it happened.
        to: Step of the state that was restored; the run loses what it has learned since then.
        factor: The rate is multiplied by it from there on.
        score: The last score of the run; infinite when its loss was not finite.
    """

    step: int
    to: int
    factor: float
    score: float


@dataclass(frozen=True, slots=True)
class AveragedEnd:
    """The run ended with an average of its last weights.

    Attributes:
        window: Over how many of its last steps.
        score: Of the average; lower is better.
        last: The score of the last weights, infinite where it was not finite.
    """

    window: int
    score: float
    last: float


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """The search could not make, or not keep, all copies of the run.

    What the run trains changed, and a copy could not follow; there was no room for more; or the
    user's code raised in a copy.

    Attributes:
        step: Step of the run before which it happened.
        reason: What happened, in words.
        ended: The peaks of the rivals that ended or did not begin.
        renewed: Whether the saved state was replaced by that of this step, as what the run trains
            had changed: the run is never restored to a state from before.
        ends_search: Whether the search ended with it, before it was over.
        unmade: Whether the rivals did not begin, as there was no room for their copies.
    """

    step: int
    reason: str
    ended: tuple[float, ...] = ()
    renewed: bool = False
    ends_search: bool = False
    unmade: bool = False
