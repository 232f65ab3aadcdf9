"""The actions of a strategy, and the records of a search."""

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
    """Restore the state of the last `Save`.

    Attributes:
        run: The candidate that the run has trained until now. The next action holds the one that
            it continues as.
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
        scores: The scores of the probes where the strategy computes them itself, from the losses
            of `Train`; else `Progress` has recorded them.
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
    """The score of one candidate.

    Attributes:
        candidate: Whose score it is.
        start: Step of the run at which it was copied from the run; 0 in the race.
        horizon: Step of the run at which it was scored.
        score: Lower is better; infinite when it diverged.
        kept: Whether the run continued with it.
        annealed: Whether it is the score of an annealed copy, see `Probe`. It is not compared
            with other scores of the run.
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
