"""Who wins a comparison."""

import math
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.noise import CLEAR

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.search import Search

_TIES_REACH = 16.001  # below the middle of the peaks that race; the customary range ends at 16
#                       (and rounding may put its end a little below)


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
        return _winner_of_race(search, evidence)
    if now.lead:
        return best if scores[0] - scores[best] >= now.lead else 0
    if search.ends[1] < math.inf:
        return _winner_beyond(search, evidence)
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
    margin = search.thresholds.margin * size(search, evidence.scores[0])
    return max(margin, CLEAR * evidence.noise(0, evidence.best))


def own_candidate(search: "Search") -> int:
    """Return the index of the candidate that is nearest to the peak that is kept in doubt.

    Args:
        search: With a fallback.
    """
    assert search.fallback is not None
    rule, peak = search.fallback

    def distance(index: int) -> tuple[bool, float]:
        candidate = search.alive[index]
        return candidate.rule != rule, abs(math.log((candidate.peak or math.nan) / peak))

    return min(range(len(search.alive)), key=distance)


def lowest_first(search: "Search") -> list[int]:
    """Return the candidates' indices, rule by rule, each from its lowest peak up.

    Args:
        search: The search.
    """
    rules = [candidate.rule for candidate in search.alive]
    key = {i: (rules.index(c.rule), c.peak or 0.0) for i, c in enumerate(search.alive)}
    return sorted(key, key=key.__getitem__)


def shows_nothing(search: "Search", evidence: Evidence) -> bool:
    """Return whether nothing has been gained yet that can be told from noise.

    Args:
        search: The search.
        evidence: Scores of a round that a race with nothing to see led to.
    """
    return evidence.nothing_to_see(0.0 if evidence.knows_noise else search.least_progress)


def beaten(search: "Search", evidence: Evidence) -> tuple["Candidate", ...]:
    """Return the rivals of a check that the run has clearly beaten; at chance there are none.

    Args:
        search: The search in that round.
        evidence: Its scores.
    """
    scores = evidence.scores
    if not search.scores or search.rounds[0].profiles or not math.isfinite(scores[0]):
        return ()
    if shows_nothing(search, evidence):
        return ()
    clear = scores[0] + search.thresholds.settled * size(search, scores[0])
    return tuple(c for c, score in zip(search.alive, scores, strict=True) if score > clear)


def _winner_of_race(search: "Search", evidence: Evidence) -> int:
    """Return the peak kept in doubt where it ties with the best, else the lowest that does."""
    scores, went_on = evidence.scores, search.rounds[0].continues
    if went_on and shows_nothing(search, evidence):
        return 0
    order = lowest_first(search)
    if went_on:  # it left the start by weights that cost it units
        order = [i for i in order if not evidence.is_dying(i)] or order
    best = min(order, key=scores.__getitem__)
    tie = search.thresholds.tie * abs(scores[best])
    if evidence.progress > 0:
        share = search.thresholds.tie if went_on else search.thresholds.share
        tie = min(tie, share * evidence.progress)
    own = None if search.fallback is None else own_candidate(search)
    if own in order and scores[own] <= scores[best] + max(tie, evidence.noise(own, best)):
        return own
    close = [i for i in order if scores[i] <= scores[best] + tie]
    return next((i for i in close if _may_begin(search, i)), best)


def _winner_beyond(search: "Search", evidence: Evidence) -> int:
    """Return who wins where the rivals lie beyond the peaks that have raced: as in the race."""
    scores, best = evidence.scores, evidence.best
    if scores[0] <= scores[best] + CLEAR * evidence.noise(0, best):
        return 0
    tie = search.thresholds.tie * abs(scores[best])
    close = [i for i in lowest_first(search) if scores[i] <= scores[best] + tie]
    return next((i for i in close if _may_begin(search, i)), best)


def _may_begin(search: "Search", index: int) -> bool:
    """Whether a peak is not so low that a run with it might never begin to learn."""
    candidate = search.alive[index]
    peaks = sorted(c.peak or 0.0 for c in search.alive if c.rule == candidate.rule)
    return (candidate.peak or 0.0) >= peaks[len(peaks) // 2] / _TIES_REACH


def _needed(search: "Search", evidence: Evidence) -> float:
    """Return what a rival must be below to take the place of the run."""
    score, now = evidence.scores[0], search.rounds[0]
    if not math.isfinite(score):
        return math.inf
    needed = score - clear_lead(search, evidence)
    if now.refines or now.profiles:
        return needed
    of_run = (past.score for past in reversed(search.scores) if past.kept and not past.annealed)
    before = next(filter(math.isfinite, of_run), score)
    return needed - search.thresholds.stall * max(0.0, before - score)
