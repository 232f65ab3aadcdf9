"""What follows a race around the peak of an earlier search."""

from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.later_rounds import affordable, behind
from autolr.online.rounds import CHECK_WINDOW, Round

if TYPE_CHECKING:
    from autolr.online.search import Search

_OPEN = (0.25, 4.0)  # as far as the peaks of a race without an earlier search are apart


def after_near_race(search: "Search", now: Round) -> "Search":
    """Return the search behind a comparison around the peak of an earlier search.

    Where a peak has won that is no end of those compared, the earlier search was right, and has
    made the later checks already: of them one is left, of a lower rate, as a peak that is too high
    shows late. The search stays open where an end has won: the next check has one rival, beyond it,
    and takes the place of the one that is left. Where the peak has won that the user has set, the
    earlier search was wrong, and a race around that one follows. A race that has continued, as
    there was nothing to see, confirms nothing: its checks stay.

    Args:
        search: With the winner.
        now: The race, or the check behind an end.
    """
    assert search.near is not None
    won = search.alive[0].peak or 0.0
    if won in search.ends and won != search.near:
        return _followed(search, up=won == search.ends[1])
    if now.continues:
        return replace(search, near=None)
    insured = not now.factors and won != search.near
    search = replace(search, near=None)
    return _opened(search, now.horizon) if insured else _settled(search, 0 if now.factors else 1)


def _followed(search: "Search", *, up: bool) -> "Search":
    """Return the search whose next check has one rival, on the side of the end that has won."""
    at = next((index for index, now in enumerate(search.rounds) if now.factors), None)
    if at is None:
        return search
    now, rounds = search.rounds[at], search.rounds
    one = replace(now, factors=tuple(f for f in now.factors if (f > 1) == up)[:1])
    spare = search.spare + now.price - one.price
    return replace(search, rounds=(*rounds[:at], one, *rounds[at + 1 :]), spare=spare)


def _settled(search: "Search", checks: int) -> "Search":
    """Return the search with so many checks left, of a lower rate: behind the one that refines."""
    left = [now for now in search.rounds if now.factors and not now.refines][:checks]
    rounds = (
        replace(now, factors=tuple(f for f in now.factors if f < 1 and now in left))
        for now in search.rounds
    )
    return replace(search, rounds=tuple(rounds))


def _opened(search: "Search", length: int) -> "Search":
    """Return the search whose next round is a race around what the user has set.

    The rounds behind it are paid of those that it replaces: the spare steps stay for copies of a
    run in doubt.
    """
    start = search.scores[-1].horizon
    window = max(1, round(CHECK_WINDOW * length))
    race = Round(start, start + length, window, _OPEN, refines=True)
    steps = sum(now.price for now in search.rounds)
    if race.price > steps or race.horizon > search.last or not search.rounds:
        return search
    later = behind(search.rounds, race.horizon, search.last)
    rounds, spare = affordable((race, *later), steps)
    return replace(search, rounds=rounds, spare=search.spare + spare)
