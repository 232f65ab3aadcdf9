"""A race that shows nothing: it continues among a few, and is held again later."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.online.evidence import Evidence
from autolr.online.later_rounds import affordable, behind
from autolr.online.race_verdict import (
    FAR_BEHIND,
    favoured_candidate,
    first_to_learn,
    highest_alive,
    is_brief,
    is_too_early,
    lowest_first,
    own_candidate,
    shows_nothing,
    winner_of_race,
)
from autolr.online.reschedule import followed, scaled
from autolr.online.rounds import CHECK_WINDOW, COPIES, RACE_WINDOW, SHORTEST_CHECK, Round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autolr.candidate import Candidate
    from autolr.online.search import Search

_THIRD = 3  # of the race that has continued is as long as one that is held again
_HARM = 0.1  # of the first score: at chance a high rate raises the loss by some percent
_OF_DYING = 0.1  # of the first score counts as a gain by weights that cost units
_KEPT = 2 * COPIES * SHORTEST_CHECK  # steps, for a run in doubt
_WORTH = 0.5  # of a race, at least
_BEYOND = 4.0  # times the highest that has raced, as far as the peaks of a race are apart
_FAR = 7.999  # a factor between two peaks, of which one is the user's; peaks of a race are 4 apart
_AGAIN = (0.25, 4.0, 16.0)  # of the run's rate: rivals of a race that is held again later
_NEARER = (0.5, 2.0)
_FEWEST = 3  # who race on: the user's own peak and two others
_LATER = 2  # times the steps so far


def with_longer_race(search: "Search", evidence: Evidence) -> "Search | None":
    """Return the search whose race continues, as there is too little to see; None if it does not.

    Args:
        search: The search in a round that has been scored.
        evidence: Its scores.
    """
    for who, once in ((_who_goes_on, False), (_behind_far_leader, True)):
        goes_on = who(search, evidence)
        if goes_on and (end := _end_of_race(search, len(goes_on))):
            return _longer(search, goes_on, end, evidence, once=once)
    return None


def with_later_race(search: "Search", evidence: Evidence) -> "Search":
    """Return the search that holds its race again later, where there has been nothing to see.

    Args:
        search: The search in its race, which has continued.
        evidence: Its scores.
    """
    now, *rest = search.rounds
    if not (search.races and now.continues and shows_nothing(search, evidence)):
        return search
    start = _LATER * now.horizon
    steps = _usable(search)
    length = min(now.horizon // _THIRD, steps // len(_AGAIN))
    watches = [replace(r, factors=(), profiles=()) for r in rest]
    first = [r for r in watches if r.horizon <= start]
    last = watches[len(first) :]
    if length < 1 or not last or start + length > search.last:
        return search
    window = max(1, round(CHECK_WINDOW * length))
    again = Round(start, start + length, window, _AGAIN, refines=True)
    rounds = (now, *first, again, *behind(last, again.horizon, search.last))
    kept = search.spare + sum(r.price for r in rest) - again.price
    return replace(search, rounds=rounds, spare=kept)


def with_nearer_race(search: "Search", evidence: Evidence) -> "Search":
    """Return the search whose next race is a check, where the run has left the start by itself.

    A rate that is 16 times as high may be far ahead then, and too high in the end.

    Args:
        search: The search in a round that has been scored.
        evidence: Its scores; of the run first.
    """
    now, *rest = search.rounds
    if not rest or rest[0].factors != _AGAIN or shows_nothing(search, evidence):
        return search
    nearer = replace(rest[0], factors=_NEARER)
    spare = search.spare + rest[0].price - nearer.price
    return replace(search, rounds=(now, nearer, *rest[1:]), spare=spare)


def as_the_user_set_it(search: "Search", evidence: Evidence, kept: int) -> "Search":
    """Return the search whose run keeps a constant rate, where nothing speaks for another one.

    Where no race has shown anything, a decay that the user has not set ends what has hardly begun.
    So does one of a run that is too short for any check, where a race of a few steps has left the
    user's peak. Where the rate that the user has set has won every comparison, an average of the
    last weights does what a decay would, if it is better: to first order they are equal (Sandler et
    al. 2023, arXiv:2301.02312), and the average is chosen where the outcome can be seen.

    Args:
        search: The search in a round that has been scored.
        evidence: Its scores.
        kept: The index of the candidate with which it continues.
    """
    now, *rest = search.rounds
    if not search.chose_schedule or any(r.factors for r in rest):
        return search
    if _is_as_set(search, kept):
        over = True
    elif search.races and not now.continues:
        tiny = is_brief(search) and now.horizon < search.thresholds.brief / 2
        stays = tiny and kept == own_candidate(search)
        over = len(search.alive) > 1 and (stays or is_too_early(search, evidence))
    else:
        held = search.races or (bool(now.factors) and set(now.factors) <= set(_AGAIN))
        over = held and kept == 0 and shows_nothing(search, evidence)
    if not over:
        return search
    run = followed(search.alive[kept], now.horizon, schedules.constant())
    alive = (*search.alive[:kept], run, *search.alive[kept + 1 :])
    return replace(search, alive=alive, chose_schedule=False)


def no_further(search: "Search", raced: "Sequence[Candidate]") -> "Search":
    """Return the search whose next check does not go back to the peak that has just lost.

    Args:
        search: Behind a race that a far leader has led to.
        raced: The user's own peak, the one that led, and one between them; fewer where one has
            diverged, which rules out its side by itself. A leader that has won is followed as any.
    """
    if len(raced) < _FEWEST or search.alive[0].peak != raced[2].peak or not search.rounds:
        return search
    now, *rest = search.rounds
    up = search.peak(0) > (raced[1].peak or 0.0)
    nearer = replace(now, factors=tuple(f for f in now.factors if (f > 1) == up))
    spare = search.spare + now.price - nearer.price
    return replace(search, rounds=(nearer, *rest), spare=spare)


def _is_as_set(search: "Search", kept: int) -> bool:
    """Return whether a run has the user's own rate, as it has had from its first step on.

    Not in the round that such a run has won as a rival: its state is known by its candidate there.
    """
    if not search.averages or search.fallback is None or search.favoured is not None:
        return False
    if search.races or kept:
        return False
    run = search.alive[0]
    untouched = run.schedule.kind != "product" and search.near is None
    return untouched and (run.rule, run.peak) == search.fallback


def _who_goes_on(search: "Search", evidence: Evidence) -> "tuple[Candidate, ...]":
    """Return who races on as there is nothing to see yet: first the peak that is kept in doubt.

    Beside it race the highest that does no harm, which may leave a plateau soonest, and the
    favoured one where that is neither. Else, where the former is the highest of all, one as far
    beyond it: a copy of the first. Else one between them, or the next lower one.
    """
    if len(search.alive) < 2 or not _may_continue(search):
        return ()
    tie = search.thresholds.tie
    if search.rounds[0].once:
        return ()
    if search.rounds[0].continues:
        first = first_to_learn(search)
        left = evidence.has_left(first, tie, FAR_BEHIND * evidence.progress)
        left = left and not evidence.is_dying(first)
        return () if left else search.alive
    if len(search.alive) < _FEWEST:
        return ()
    fit = [i for i in lowest_first(search) if not evidence.does_harm(i, _HARM)]
    least = _OF_DYING if evidence.is_dying(evidence.best) else tie
    if len(fit) < 2 or not evidence.nothing_to_see(least):
        return ()
    own = own_candidate(search)
    own = fit[-1] if evidence.is_worse(own, _HARM) else own
    *lower, top = [i for i in fit if i != own]
    if (favoured := favoured_candidate(search)) in lower:
        return tuple(search.alive[i] for i in (own, top, favoured))
    if (beyond := _beyond(search, evidence, own, top)) is not None:
        return search.alive[own], search.alive[top], beyond
    between = [i for i in lower if search.peak(i) > search.peak(own)]
    return tuple(search.alive[i] for i in (own, top, *(between[:1] or lower[-1:])))


def _may_continue(search: "Search") -> bool:
    """Return whether the present round is a race of one rule that can be followed by another."""
    alone = search.races and len(search.limits) < 2
    return alone and len(search.rounds) > 1 and search.fallback is not None


def _behind_far_leader(search: "Search", evidence: Evidence) -> "tuple[Candidate, ...]":
    """Return who races on where a peak far from the user's own has won by a first small gain.

    The own one, the winner, and one between them: what is ahead so early may have lost it all a
    few steps later, and a network that has stood at chance since then does not recover.
    """
    if len(search.alive) < _FEWEST or search.rounds[0].continues or not _may_continue(search):
        return ()
    if math.isnan(evidence.progress):
        return ()
    own, won = favoured_candidate(search), winner_of_race(search, evidence)
    if won == own_candidate(search):
        return ()
    ratio = search.peak(won) / search.peak(own)
    if max(ratio, 1 / ratio) < _FAR or evidence.has_left(won, search.thresholds.hint):
        return ()
    middle = math.sqrt(search.peak(won) * search.peak(own))
    others = [i for i in range(len(search.alive)) if i not in (own, won)]
    between = min(others, key=lambda i: round(abs(math.log(search.peak(i) / middle)), 9))
    return tuple(search.alive[i] for i in (own, won, between))


def _beyond(search: "Search", evidence: Evidence, own: int, top: int) -> "Candidate | None":
    """Return a copy of one peak that races beyond the highest; None if units die there already."""
    run, highest, now = search.alive[own], search.peak(top), search.rounds[0]
    peak = _BEYOND * highest
    limit = min(highest_alive(search, evidence), search.highest)
    if highest < max(map(search.peak, range(len(search.alive)))) or peak > limit:
        return None
    return scaled(run, now.horizon, peak / search.peak(own), refines=True)


def _end_of_race(search: "Search", runs: int) -> int | None:
    """Return the step until which a race can continue among so many; None if it is not worth it."""
    now = search.rounds[0]
    length = search.scores[0].horizon if search.scores else now.horizon
    most = min(length, _usable(search) // (runs - 1))
    end = min(search.thresholds.longer * length, now.horizon + most)
    return end if now.horizon + _WORTH * length <= end <= search.last else None


def _usable(search: "Search") -> int:
    """Return the steps that a race may take from what comes behind it."""
    return sum(r.price for r in search.rounds[1:]) + max(0, search.spare - _KEPT)


def _longer(
    search: "Search",
    goes_on: "Sequence[Candidate]",
    horizon: int,
    evidence: Evidence,
    *,
    once: bool,
) -> "Search":
    """Return the search whose race continues among a few, paid by the last checks."""
    now, *rest = search.rounds
    window = max(1, round(RACE_WINDOW * horizon))
    longer = Round(now.horizon, horizon, window, continues=True, once=once)
    spent = (len(goes_on) - 1) * (horizon - now.horizon)
    left = _usable(search) - spent
    kept = search.spare + sum(r.price for r in rest) - spent - left
    paid, left = affordable(behind(rest, horizon, search.last), left)
    own = search.alive.index(goes_on[0])
    low, high = search.ends
    return replace(
        search,
        alive=tuple(goes_on),
        rounds=(longer, *paid),
        alive_below=highest_alive(search, evidence),
        ends=(low, max(high, *(one.peak or 0.0 for one in goes_on))),
        scores=search.scores + search.scored(evidence.scores, own),
        spare=kept + left,
    )
