"""A race around the peak of an earlier search, and what follows it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.later_rounds import affordable, behind
from autolr.online.rounds import CHECK_WINDOW, COPIES, RACE_WINDOW, SHORTEST_CHECK, Round

if TYPE_CHECKING:
    from autolr.online.search import Search

NEAR_BUDGET = 0.1
"""Steps beside the run at most where an earlier search was right, as a share of the run's steps."""

_DOUBTS = 0.2  # of them are for copies of a run in doubt: a choice
_SHORTEST = 4  # steps of the race, which averages the last 30 % of them
_OPEN = (0.25, 4.0)  # as far as the peaks of a race without an earlier search are apart


def shortened(rounds: tuple[Round, ...], candidates: int, steps: int) -> tuple[Round, ...]:
    """Return rounds of which the race and one later check of one rival can be paid.

    The race has 4 steps at least. The rounds of a run that is too short for that stay as they are.

    Args:
        rounds: The race and those behind it.
        candidates: How many race.
        steps: That may be made beside the run if the earlier search was right.
    """
    if not rounds:
        return rounds
    race, *later = rounds
    check = next((now.horizon - now.start for now in later if now.factors and not now.refines), 0)
    share = (steps - _kept(steps)) / ((candidates - 1) * race.horizon + check)
    if share >= 1 or (candidates - 1) * _SHORTEST > steps:
        return rounds
    length = max(_SHORTEST, int(share * race.horizon))
    race = replace(race, horizon=length, window=max(1, round(RACE_WINDOW * length)))
    return race, *(_shorter(now, share) if now.factors else now for now in later)


def after_near_race(search: "Search", now: Round, raced: int) -> "Search":
    """Return the search behind a comparison around the peak of an earlier search.

    Where a peak has won that is no end of those compared, the earlier search was right, and has
    made the later checks already: of them one is left, of a lower rate, as a peak that is too high
    shows late. The search stays open where an end has won: the next check has one rival, beyond it,
    and takes the place of the one that is left. All that is paid of `NEAR_BUDGET`.

    The earlier search was wrong where that rival wins too: it is followed until it loses. So it was
    where the peak has won that the user has set: a race around that one follows. A race that has
    continued, as there was nothing to see, confirms nothing: its checks stay. The budget is then
    that of any search.

    Args:
        search: With the winner.
        now: The race, or the check behind an end.
        raced: How many were compared.
    """
    assert search.near is not None
    won = search.alive[0].peak or 0.0
    steps = search.near_steps - (raced - 1) * (now.horizon - now.start)
    beyond = won in search.ends and won != search.near
    if beyond and search.scores[0].horizon != now.horizon:  # twice: there is no end to it
        steps = search.spare + sum(later.price for later in search.rounds)
    if beyond:
        followed = _followed(replace(search, near_steps=steps), up=won == search.ends[1])
        if followed is not None:
            return followed
    left = replace(search, near=None)
    if now.continues:
        return left
    if not (now.factors or beyond or won == search.near):
        return _opened(left, now.horizon)
    return _limited(_settled(left, 0 if now.factors or beyond else 1), steps)


def _kept(steps: int) -> int:
    """Return how many of the steps beside the run are for copies of a run in doubt."""
    return max(round(_DOUBTS * steps), COPIES * SHORTEST_CHECK)


def _limited(search: "Search", steps: int) -> "Search":
    """Return the search that makes no more than so many steps beside the run.

    None of them are for second looks: a run that overfits needs those that are left for its doubts.
    """
    rounds, spare = affordable(search.rounds, max(0, steps))
    once = replace(search.thresholds, looks=1)
    return replace(search, rounds=rounds, spare=min(spare, search.spare), thresholds=once)


def _shorter(now: Round, share: float) -> Round:
    """Return a check of a share of its length."""
    length = max(SHORTEST_CHECK, int(share * (now.horizon - now.start)))
    window = max(1, round(CHECK_WINDOW * length))
    return replace(now, horizon=now.start + length, window=window)


def _followed(search: "Search", *, up: bool) -> "Search | None":
    """Return the search whose next check has one rival, on the side of the end that has won.

    Args:
        search: Behind a comparison that an end has won.
        up: Whether it was the upper one.

    Returns:
        None where there is no check, or the rival cannot be paid.
    """
    at = next((index for index, now in enumerate(search.rounds) if now.factors), None)
    if at is None:
        return None
    now, rounds = search.rounds[at], search.rounds
    one = replace(now, factors=tuple(f for f in now.factors if (f > 1) == up)[:1])
    spare = search.spare + now.price - one.price
    after = replace(search, rounds=(*rounds[:at], one, *rounds[at + 1 :]), spare=spare)
    return after if one.price <= search.near_steps else None


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
