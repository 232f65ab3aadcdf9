"""Who wins a race, and which of its candidates is kept in doubt."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.noise import CLEAR

if TYPE_CHECKING:
    from autolr.online.search import Search

_FROM_DYING = 2.001  # a factor: no rival of a later check comes nearer
FAR_BEHIND = 0.25  # of the gain of the best: what has gained less has not left the start with it
_BRIEF_REACH = 8.0  # a factor: the peaks of a race are 4 apart, and beside one of them 6
_FEWEST_SCORES, _OUTLIER = 5, 0.71  # of Dixon's test
_TIES_REACH = 16.001  # below the middle of the peaks that race; the customary range ends at 16
#                       (and rounding may put its end a little below)


def own_candidate(search: "Search") -> int:
    """Return the index of the candidate with which the run continues where nothing can be told.

    Args:
        search: With a fallback.
    """
    assert search.fallback is not None
    return _nearest(search, *search.fallback)


def favoured_candidate(search: "Search") -> int:
    """Return the index of the candidate that wins ties, see `Search`.

    Args:
        search: With a fallback.
    """
    assert search.fallback is not None
    rule, peak = search.fallback
    return _nearest(search, rule, peak if search.favoured is None else search.favoured)


def _nearest(search: "Search", rule: str, peak: float) -> int:
    def distance(index: int) -> tuple[bool, float]:
        candidate = search.alive[index]
        return candidate.rule != rule, abs(math.log((candidate.peak or math.nan) / peak))

    return min(range(len(search.alive)), key=distance)


def first_to_learn(search: "Search") -> int:
    """Return the index of the candidate that wins a race that has continued once it learns.

    Args:
        search: The search in such a race, which the peak that is kept in doubt leads.
    """
    return 0 if search.favoured is None else favoured_candidate(search)


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


def is_too_early(search: "Search", evidence: Evidence) -> bool:
    """Return whether a race that cannot continue has shown too little to change the rate for.

    Args:
        search: The search in its race.
        evidence: Its scores.
    """
    least = 0.0 if evidence.knows_noise else search.thresholds.chance
    unseen = search.fallback is not None and evidence.nothing_to_see(least)
    return unseen and (evidence.knows_noise or not _stands_apart(evidence.scores))


def highest_alive(search: "Search", evidence: Evidence) -> float:
    """Return the highest peak that keeps its distance from all at which units cease to learn.

    Args:
        search: The search in a race that shows nothing, or that has continued.
        evidence: Its scores.
    """
    dying = [c.peak or 0.0 for i, c in enumerate(search.alive) if evidence.is_dying(i)]
    return min(search.alive_below, min(dying, default=math.inf) / _FROM_DYING)


def winner_of_race(search: "Search", evidence: Evidence) -> int:
    """Return the favoured peak where it ties with the best, else the lowest that does.

    Where those that tie lie on both sides of it, the rate has shown nothing: the nearest wins, and
    of two as near the better.

    Args:
        search: The search in its race.
        evidence: Its scores.
    """
    scores, order = evidence.scores, lowest_first(search)
    longer = search.rounds[0].continues and not search.rounds[0].once
    if longer:
        order = _left(search, evidence)
        first = first_to_learn(search)
        if not order or first in order:
            return first if order else 0
    elif is_brief(search):
        order = _near_own(search, order)
    best = min(order, key=scores.__getitem__)
    tie = search.thresholds.tie * abs(scores[best])
    if evidence.progress > 0:
        share = search.thresholds.tie if longer else search.thresholds.share
        tie = min(tie, share * evidence.progress)
    own = None if search.fallback is None else favoured_candidate(search)
    if own is not None and not longer and is_too_early(search, evidence):
        return own_candidate(search)
    if own in order and scores[own] <= scores[best] + max(tie, CLEAR * evidence.noise(own, best)):
        return own
    close = [i for i in order if scores[i] <= scores[best] + tie and _may_begin(search, i)]
    places = {i: order.index(i) - order.index(own) for i in close} if own in order else {}
    if min(places.values(), default=0) < 0 < max(places.values(), default=0):
        return min(close, key=lambda i: (abs(places[i]), scores[i]))
    return next(iter(close), best)


def winner_beyond(search: "Search", evidence: Evidence) -> int:
    """Return who wins where the rivals lie beyond the peaks that have raced: as in the race.

    Where the noise of a difference is not known, going further asks for a lead as wide as a tie, of
    what the run has gained: near a loss of zero any other is ahead by something.

    Args:
        search: The search in that round.
        evidence: Its scores.
    """
    scores, best = evidence.scores, evidence.best
    gained = 0.0 if evidence.knows_noise else evidence.gain(0)
    least = search.thresholds.tie * gained if gained > 0 else 0.0
    if scores[0] <= scores[best] + max(least, CLEAR * evidence.noise(0, best)):
        return 0
    tie = search.thresholds.tie * abs(scores[best])
    close = [i for i in lowest_first(search) if scores[i] <= scores[best] + tie]
    return next((i for i in close if _may_begin(search, i)), best)


def is_brief(search: "Search") -> bool:
    """Return whether the race is too short to move far from the peak that is kept in doubt.

    That of an earlier search is not the user's: where it is wrong, his own one has to win.

    Args:
        search: The search in its race.
    """
    own = search.fallback is not None and search.near is None
    return own and search.rounds[0].horizon < search.thresholds.brief


def _near_own(search: "Search", order: list[int]) -> list[int]:
    """Return the peaks that are not far from the favoured one.

    What is ahead after so few steps has learned fastest, which says little of the end.

    Args:
        search: The search in a brief race.
        order: Its candidates, see `lowest_first`.
    """
    own = search.peak(favoured_candidate(search))
    return [i for i in order if own / _BRIEF_REACH < search.peak(i) < own * _BRIEF_REACH]


def _stands_apart(scores: Sequence[float]) -> bool:
    """Return whether the best score is an outlier among the others, which differ by noise at least.

    Source: Dean & Dixon 1951, "Simplified statistics for small numbers of observations", the
    ratio of the gap to the range; its critical value for five values at 95 %.
    """
    finite = sorted(score for score in scores if math.isfinite(score))
    if len(finite) < _FEWEST_SCORES or finite[-1] == finite[0]:
        return False
    return (finite[1] - finite[0]) / (finite[-1] - finite[0]) > _OUTLIER


def _left(search: "Search", evidence: Evidence) -> list[int]:
    """Return who has left the start in a race that has continued, from the lowest peak up.

    Those that lose units do not count beside others. Nor does one that lies beyond all that have
    raced from the first step: who leaves a plateau first need not be the best in the end.
    """
    if shows_nothing(search, evidence):
        return []
    least = 0.0 if evidence.knows_noise else search.least_progress
    order = lowest_first(search)
    alive = [i for i in order if not evidence.is_dying(i)] or order
    most = max(map(evidence.gain, alive))
    left = [i for i in alive if evidence.has_left(i, least, FAR_BEHIND * most)] or alive
    start = search.scores[0].horizon
    highest = max(past.candidate.peak or 0.0 for past in search.scores if past.horizon == start)
    return [i for i in left if search.peak(i) <= highest] or left


def _may_begin(search: "Search", index: int) -> bool:
    """Whether a peak is not so low that a run with it might never begin to learn."""
    candidate = search.alive[index]
    peaks = sorted(c.peak or 0.0 for c in search.alive if c.rule == candidate.rule)
    return (candidate.peak or 0.0) >= peaks[len(peaks) // 2] / _TIES_REACH
