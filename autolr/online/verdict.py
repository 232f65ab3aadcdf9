"""Who wins a comparison."""

import math
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.noise import CLEAR
from autolr.online.race_verdict import (
    own_candidate,
    shows_nothing,
    winner_beyond,
    winner_of_race,
)

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.search import Search


def winner(search: "Search", evidence: Evidence) -> int:
    """Return the index of the candidate with which the run continues.

    Args:
        search: The search in a round that has been scored.
        evidence: Its scores.
    """
    scores, now = evidence.scores, search.rounds[0]
    best = evidence.best
    if not math.isfinite(scores[best]):
        return 0 if search.scores or search.fallback is None else own_candidate(search)
    if search.races:
        return winner_of_race(search, evidence)
    if now.lead:
        return best if scores[0] - scores[best] >= now.lead else 0
    if now.judges_own:
        return best if scores[best] < scores[0] - clear_lead(search, evidence) else 0
    if search.ends[1] < math.inf:
        return winner_beyond(search, evidence)
    return best if scores[best] < _needed(search, evidence) else 0


def size(search: "Search", score: float) -> float:
    """Return what shares of a score are of; not near 0 where scores change their sign.

    Args:
        search: With the scores so far.
        score: The score.
    """
    first = next((past.score for past in search.scores if past.kept), score)
    whole = max(abs(score), abs(first - score)) if math.isfinite(first) else abs(score)
    gained = math.nan if search.initial is None else search.initial - score
    return min(whole, gained) if gained > 0 else whole


def clear_lead(search: "Search", evidence: Evidence) -> float:
    """Return by how much the best rival must be better than the run to be better at all.

    Args:
        search: The search in that round.
        evidence: Its scores; that of the run is finite.
    """
    limits = search.thresholds
    margin = limits.margin if evidence.knows_noise else max(limits.margin, limits.unknown)
    least = margin * size(search, evidence.scores[0])
    return max(least, CLEAR * evidence.noise(0, evidence.best))


def beaten(search: "Search", evidence: Evidence) -> tuple["Candidate", ...]:
    """Return the rivals of a check that the run has clearly beaten; at chance there are none.

    Nor are there in a race that has continued: its peaks are far apart, and have hardly begun. What
    the user's own rate has lost by is of its whole path. A run that has lost since its last score
    is no measure of lower rates.

    Args:
        search: The search in that round.
        evidence: Its scores.
    """
    scores, now = evidence.scores, search.rounds[0]
    if search.races or now.profiles or now.judges_own or not math.isfinite(scores[0]):
        return ()
    if shows_nothing(search, evidence):
        return ()
    least = search.thresholds.settled * size(search, scores[0])
    behind = {i: score - scores[0] for i, score in enumerate(scores) if i}
    lost = (i for i, by in behind.items() if by > max(least, CLEAR * evidence.noise(0, i)))
    worse = scores[0] > _before(search, scores[0])
    run = search.peak(0)
    return tuple(search.alive[i] for i in lost if not worse or search.peak(i) > run)


def _needed(search: "Search", evidence: Evidence) -> float:
    """Return what a rival must be below to take the place of the run."""
    score, now = evidence.scores[0], search.rounds[0]
    if not math.isfinite(score):
        return math.inf
    needed = score - clear_lead(search, evidence)
    if now.profiles:
        return needed
    before = _before(search, score)
    lower = search.peak(evidence.best) <= search.peak(0)  # a higher rate is a higher peak
    if now.refines:
        idle = evidence.scores[evidence.best] >= before - evidence.noise(0, evidence.best)
        return needed - search.thresholds.share * size(search, score) * (lower and idle)
    return needed - search.thresholds.stall * max(0.0, before - score) * lower


def _before(search: "Search", score: float) -> float:
    """Return the last finite score of the run; ``score`` where there is none."""
    return next(filter(math.isfinite, reversed(search.curve)), score)
