"""A search in progress: candidates, rungs, and the scores so far.

Pure bookkeeping: it sees scores and answers with what to do next. It holds no model, no
optimizer and no clock, so it is tested with lists of numbers and equal on all ranks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autolr.candidate import Candidate
from autolr.online.plan import Rung


@dataclass(frozen=True, slots=True)
class Probe:
    """Score annealed copies of these candidates at a step of the run.

    Attributes:
        candidates: Whose trunks go on to ``horizon``.
        horizon: Step of the run at which the copies are scored.
        cooldown: How many steps before it the copies are made and begin to anneal.
    """

    candidates: tuple[Candidate, ...]
    horizon: int
    cooldown: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Go on with this candidate to the end of the run."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one annealed copy came to.

    Attributes:
        candidate: Whose copy it was.
        horizon: Step of the run at which it was scored.
        cooldown: Its length, in steps.
        score: Lower is better; infinite when it diverged.
        kept: Whether the candidate went on.
    """

    candidate: Candidate
    horizon: int
    cooldown: int
    score: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Search:
    """Successive halving over candidates. Nothing is changed, the next search is returned.

    Attributes:
        alive: Candidates still in the race, peaks rising.
        rungs: The rounds to come.
        tie: Scores within this share of the best count as equal; of equals the lower peaks
            go on, because a rate that is too large costs more than one that is too small.
        scores: Every score so far.
    """

    alive: tuple[Candidate, ...]
    rungs: tuple[Rung, ...]
    tie: float
    scores: tuple[ProbeScore, ...] = ()

    @property
    def action(self) -> Probe | Commit:
        """What must be done next."""
        if not self.rungs:
            return Commit(self.alive[0])
        rung = self.rungs[0]
        return Probe(self.alive, rung.horizon, rung.cooldown)

    def observe(self, scores: Sequence[float]) -> "Search":
        """Take in the scores of the present probe, in the order of its candidates.

        A score that is NaN counts as diverged. When all have diverged the lowest peak goes on.
        """
        rung = self.rungs[0]
        finite = [score if math.isfinite(score) else math.inf for score in scores]
        order = sorted(range(len(finite)), key=lambda i: self._rank(i, finite))
        kept = set(order[: rung.keep])
        told = tuple(
            ProbeScore(candidate, rung.horizon, rung.cooldown, score, kept=index in kept)
            for index, (candidate, score) in enumerate(zip(self.alive, finite, strict=True))
        )
        alive = tuple(c for index, c in enumerate(self.alive) if index in kept)
        return replace(self, alive=alive, rungs=self.rungs[1:], scores=self.scores + told)

    def drop(self, candidate: Candidate) -> "Search":
        """Take out a candidate whose trunk has diverged; the last one stays."""
        alive = tuple(c for c in self.alive if c != candidate)
        return replace(self, alive=alive) if alive else self

    def _rank(self, index: int, scores: Sequence[float]) -> tuple[bool, float, int]:
        best = min(scores)
        tied = scores[index] <= best + self.tie * abs(best) if math.isfinite(best) else True
        return (not tied, 0.0 if tied else scores[index], index)
