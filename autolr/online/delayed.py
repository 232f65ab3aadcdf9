"""A race behind the rise of a long warm-up, where the rate is at work."""

from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.rounds import CHECK_WINDOW, SHORTEST_CHECK, Round, behind

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.search import Search

# Shares of the rise. At the first the rate is at work and the run is not yet where a higher one
# cannot begin. There and later a lower rate always looks better while the rate still rises, and
# lost in the end: only higher ones are tried.
_RACE, _CHECKS = 1 / 3, (2 / 3, 1.0)
_FACTORS = (2.0,)
_SHORTER = 0.75  # as long as the race are those checks


def delayed(search: "Search", own: "Candidate", rise: int) -> "Search":
    """Return a search whose candidates are copied from the run within its warm-up.

    Args:
        search: Before its race.
        own: The candidate that the run trains until then.
        rise: Step at which the rate is highest.
    """
    race, *rest = search.rounds
    assert own.peak is not None
    peaks = [candidate.peak or own.peak for candidate in search.alive if candidate != own]
    rounds = [
        _round(max(1, round(_RACE * rise)), race.horizon, [peak / own.peak for peak in peaks])
    ]
    steps = search.spare + sum(r.price for r in rest)
    length = max(SHORTEST_CHECK, int(_SHORTER * race.horizon))
    for share in _CHECKS:
        check = _round(max(rounds[-1].horizon, round(share * rise)), length, _FACTORS)
        if check.price <= steps:
            rounds.append(check)
            steps -= check.price
    watches = [r for r in rest if not r.copies and r.horizon > rounds[-1].horizon]
    rounds += behind(watches, rounds[-1].horizon)
    ready = replace(search, alive=(own,), rounds=tuple(rounds), spare=steps)
    return ready.of_its_rule().with_rivals()


def _round(start: int, length: int, factors: "list[float] | tuple[float, ...]") -> Round:
    window = max(1, round(CHECK_WINDOW * length))
    return Round(start, start + length, window, tuple(factors), refines=True)
