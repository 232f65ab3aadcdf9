"""A `Search` after a change of what the run trains, and without copies that have ended."""

import math
from collections.abc import Sequence
from dataclasses import replace

from autolr.candidate import Candidate
from autolr.online.search import Search


def after_change(search: Search, step: int | None) -> Search:
    """Return a search that compares the run with no score from before a change of what trains.

    Args:
        search: The search.
        step: Step of the last change; None: there was none.
    """
    if step is None or search.best is None:
        return search
    return replace(search, best=(step, math.inf))


def without(search: Search, ended: Sequence[Candidate]) -> Search:
    """Return a search without candidates whose copies have ended; their rates may come again.

    Where they end the race, a winner at the end of what is left is followed beyond it.

    Args:
        search: The search.
        ended: Candidates of its present round; one at least stays.
    """
    if not ended:
        return search
    alive = tuple(c for c in search.alive if c not in ended)
    peaks = [candidate.peak or 0.0 for candidate in alive]
    if search.own in ended:
        search = replace(search, own=None)
    if search.scores or search.limits:
        return replace(search, alive=alive)
    ends = (min(peaks), max(peaks)) if len(peaks) > 1 else (0.0, math.inf)
    return replace(search, alive=alive, ends=ends)
