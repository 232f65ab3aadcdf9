"""Which rivals a run has in a round behind the race."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.reschedule import followed, scaled
from autolr.online.rounds import outward

if TYPE_CHECKING:
    from autolr.online.search import Search


def with_rivals(search: "Search", won: float | None) -> "Search":
    """Return the search whose run has the rivals of its next round, and pays only for those.

    Args:
        search: With a round to come.
        won: The peak that won the last one; None if none did.
    """
    now, run = search.rounds[0], search.alive[0]
    assert run.peak is not None  # a search fixes every peak
    if now.from_saved:
        # of the saved state and, where steps are made, of the run: at one rate, told apart
        ways = (False, True)[: len(now.factors)]
        copies = (scaled(run, now.start, now.factors[0], refines=way) for way in ways)
        return replace(search, alive=(run, *copies))
    up = won == search.ends[1]
    far = outward(now.factors, up=up) if won in search.ends else ()
    far = far if all(_allows(search, run.peak * factor) for factor in far) else ()
    refines = now.refines or bool(far)
    within = tuple(
        factor
        for factor in far or now.factors
        if _allows(search, run.peak * factor) or (factor < 1 and not refines)
    )
    rivals = [scaled(run, now.start, factor, refines=refines) for factor in within]
    rivals += [followed(run, now.horizon, profile) for profile in now.profiles]
    rivals += [search.own] if now.own and search.own is not None else []
    paid = now if far else replace(now, factors=within)
    low = run.peak * min(far) if far and not up else 0.0
    high = run.peak * max(far) if far and up else math.inf
    return replace(
        search,
        alive=(run, *rivals),
        rounds=(paid, *search.rounds[1:]),
        ends=(low, high),
        spare=search.spare + now.price - paid.price,
    )


def _allows(search: "Search", peak: float) -> bool:
    """Whether a rival may race at a peak; none that is lower than the run's is too high."""
    highest = min(search.highest, search.alive_below)
    return search.lowest <= peak <= max(highest, search.peak(0))
