"""What a strategy answers with, and what has happened in a search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from autolr.candidate import Candidate


@dataclass(frozen=True, slots=True)
class Probe:
    """Score these candidates at a step of the run.

    Attributes:
        candidates: Those to score. In the first probe the run begins as the one closest to the
            prior peak; in a later one it continues as the first, with that one's state if it was
            scored in the probe before. Every other begins as a copy of the run at ``start``.
        start: Step at which that happens.
        horizon: Step at which all are scored.
        window: How many of the last steps before it are averaged for the score.
        annealed: Whether each is a copy of the run that follows all that its schedule has behind
            ``horizon`` from ``start`` on, shrunk, and is scored as it is and thrown away.
        guarded: Whether the losses are watched: a candidate whose loss is not finite is dropped,
            and when none is left the strategy is informed at once.
        settled: Whether no later probe changes the peak; the user then reads what it is.
    """

    candidates: tuple[Candidate, ...]
    start: int
    horizon: int
    window: int
    annealed: bool = False
    guarded: bool = True
    settled: bool = False

    @property
    def run(self) -> Candidate:
        """What the run continues as."""
        return self.candidates[0]


@dataclass(frozen=True, slots=True)
class Save:
    """Keep a copy of the run as it was just scored, for a later `Rollback`; it replaces the last.

    Attributes:
        run: The candidate of the probe that the run continues as.
    """

    run: Candidate


@dataclass(frozen=True, slots=True)
class Rollback:
    """Put the run back into the state of the last `Save`.

    Attributes:
        run: What the run has been until now. What it continues as is in the next action.
        factor: How many times as high the rate is from here on; for the record.
    """

    run: Candidate
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Train:
    """Train so many steps at a constant rate; only for a strategy that rewinds.

    Attributes:
        run: The candidate whose peak is the rate.
        steps: Optimizer steps, on the batches that come next.
        rewind: Whether the run then goes back to the state in which they began; the batches are
            spent.
    """

    run: Candidate
    steps: int
    rewind: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """Train this candidate to the end of the run: the search is over.

    Attributes:
        candidate: What the run continues as.
        scores: What the probes came to where the strategy scores them itself, from the losses of
            `Train`; else they are on record.
    """

    candidate: Candidate
    scores: tuple["ProbeScore", ...] = ()

    @property
    def run(self) -> Candidate:
        """What the run continues as."""
        return self.candidate


Action: TypeAlias = Probe | Save | Rollback | Train | Commit


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one candidate came to.

    Attributes:
        candidate: Whose score it is.
        start: Step of the run at which it was born.
        horizon: Step of the run at which it was scored.
        score: Lower is better; infinite when it diverged.
        kept: Whether the run went on with it.
        annealed: Whether it is the score of an annealed copy, see `Probe`. Others of the run's are
            not compared with it.
    """

    candidate: Candidate
    start: int
    horizon: int
    score: float
    kept: bool
    annealed: bool = False

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
    """The run was put back to its best state, and went on at a lower rate.

    Attributes:
        step: Step of the run at which it happened.
        to: Step of the state that it was put back to; what was learned since then is the cost.
        factor: What the rate is multiplied with from there on.
        score: What the run had come to; infinite when its loss was not finite.
    """

    step: int
    to: int
    factor: float
    score: float
