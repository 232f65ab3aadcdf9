"""The user's own rate, which races on beside a run that has gone far from it."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.later_rounds import affordable, behind
from autolr.online.race_verdict import favoured_candidate
from autolr.online.rounds import COPIES, SHORTEST_CHECK, Round

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.search import Search

_FAR = 3.999  # a factor between two peaks: those of a race are 4 apart
# Of the gain of the run, at the end of the race and of the check behind it. Where the own rate was
# better in the end it had 76 % and 92 % at least; where it had less, other rivals were worth more.
_NEAR, _KEEPS_UP = 0.5, 0.9
_RESERVED = COPIES * SHORTEST_CHECK  # steps, for a run in doubt


def with_own_rate(left: "Search", search: "Search", evidence: Evidence, kept: int) -> "Search":
    """Return the search with the user's own rate beside its next round, or without it.

    What wins a race of a few steps may cost units, or the end of the run, before it shows: the run
    learns fast, and then no more. So where the winner is 4 times and more from the rate that the
    user has set, that one trains on from the race through the check that refines the peak, and,
    while it keeps up, to the end of the second check, in place of the rivals of that. It is paid by
    the last checks.

    Args:
        left: Behind the round, with what has won it alone.
        search: The search in that round.
        evidence: Its scores.
        kept: The index of what has won.
    """
    if left.rollbacks != search.rollbacks or not left.rounds:
        return replace(left, own=None)
    if search.races:
        own = _beside(search, evidence, kept)
        return left if own is None else _with_check(replace(left, own=own), search.rounds[0])
    if left.own is None:
        return left
    if search.rounds[0].judges_own or not _keeps_up(evidence, kept):
        return replace(left, own=None)
    return _with_verdict(left, search.rounds[0])


def without_own(search: "Search", evidence: Evidence) -> "tuple[Search, Evidence]":
    """Return a check, and its scores, without the user's own rate, which is not judged in it yet.

    Args:
        search: The search in a round.
        evidence: Its scores.
    """
    now = search.rounds[0]
    if not now.own or now.judges_own or search.own not in search.alive:
        return search, evidence
    at = search.alive.index(search.own)
    alive = search.alive[:at] + search.alive[at + 1 :]
    return replace(search, alive=alive), evidence.without(at)


def _beside(search: "Search", evidence: Evidence, kept: int) -> "Candidate | None":
    """Return the user's own rate, where the winner of the race is far from it, not far ahead."""
    if search.fallback is None or search.near is not None or search.limits:
        return None
    own = favoured_candidate(search)
    ratio = search.peak(kept) / search.peak(own)
    far = max(ratio, 1 / ratio) >= _FAR
    return search.alive[own] if far and _has(evidence.scores[own], evidence, kept, _NEAR) else None


def _keeps_up(evidence: Evidence, kept: int) -> bool:
    """Return whether the user's own rate, which is beside a check, is about where the run is."""
    return evidence.beside is not None and _has(evidence.beside, evidence, kept, _KEEPS_UP)


def _has(score: float, evidence: Evidence, kept: int, share: float) -> bool:
    """Return whether a score is that share of the run's gain at least, which may not be known."""
    gain = evidence.gain(kept)
    if not math.isfinite(score):
        return False
    return math.isnan(gain) or gain - (score - evidence.scores[kept]) >= share * gain


def _with_check(left: "Search", race: Round) -> "Search":
    """Have the user's own rate trained through the check that follows the race at once."""
    now, *rest = left.rounds
    if not (now.factors and now.refines) or now.start - race.horizon > SHORTEST_CHECK:
        return replace(left, own=None)
    check = replace(now, start=race.horizon, own=True)
    return _paid(left, check, rest, check.horizon - check.start)


def _with_verdict(left: "Search", check: Round) -> "Search":
    """Compare the run with the user's own rate where it would be with other rivals."""
    now, *rest = left.rounds
    if now.profiles or now.from_saved:
        return replace(left, own=None)
    verdict = Round(check.horizon, now.horizon, now.window, own=True)
    return _paid(left, verdict, rest, verdict.horizon - verdict.start)


def _paid(left: "Search", first: Round, rest: "list[Round]", price: int) -> "Search":
    """Return the search with a first round that costs more; without its own rate if too much."""
    steps = left.spare + sum(one.price for one in left.rounds)
    reserved = min(left.spare, _RESERVED)
    steps -= first.price + price + reserved
    if steps < 0:
        return replace(left, own=None)
    paid, spare = affordable(behind(rest, first.horizon, left.last), steps)
    return replace(left, rounds=(first, *paid), spare=spare + reserved)
