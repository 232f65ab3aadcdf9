"""A race within or behind a long warm-up, where the rate is at work."""

from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.later_rounds import behind
from autolr.online.rounds import CHECK_WINDOW, SHORTEST_CHECK, Round

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.search import Search

# Shares of the rise. At the first the rate is at work and the run is not yet where a higher one
# cannot begin. There and later a lower rate always looks better while the rate still rises, and
# lost in the end: only higher ones are tried.
_RACE, _CHECKS = 1 / 3, (2 / 3, 1.0)
_FACTORS: tuple[float, ...] = (2.0,)
# A rate that rises for more than three quarters of the run ends near its highest, far above what
# has raced: late in the run lower ones are tried.
_LATE, _LATE_CHECKS = 0.75, (0.5, 0.75)
_LOWER: tuple[float, ...] = (0.25, 0.5)
_WRITTEN = 1.0  # share of a rise that has been seen in its first steps alone
_LONGEST = 3  # a rise of more than a third of the run counts as one of a third
_SHORTER = 0.75  # as long as the race are those checks


def delayed(
    search: "Search", own: "Candidate", rise: int | None, total_steps: int, step: int = 0
) -> "Search":
    """Return a search whose candidates are copied from the run within its warm-up.

    It is left as it is where no rise reaches beyond its race, or the search has to be over before.

    Args:
        search: Before its race, or within it.
        own: The candidate that the run trains until then.
        rise: Step at which the warm-up ends; None without one.
        total_steps: Optimizer steps of the run.
        step: Steps of the race that all its candidates have made.
    """
    if rise is None or not search.rounds or search.rounds[0].horizon >= rise:
        return search
    race, *rest = search.rounds
    late = rise > _LATE * total_steps
    rise = min(rise, total_steps // _LONGEST)
    assert own.peak is not None
    factors = [(one.peak or own.peak) / own.peak for one in search.alive if one != own]
    start = max(1, step, round((_WRITTEN if step else _RACE) * rise))
    rounds = [_round(start, race.horizon - step, factors)]
    if rounds[0].horizon > search.last:
        return search
    steps = search.spare + sum(r.price for r in rest)
    length = max(SHORTEST_CHECK, int(_SHORTER * race.horizon))
    checks = [(round(share * rise), _FACTORS) for share in _CHECKS]
    if late:
        checks = [(round(share * total_steps), _LOWER) for share in _LATE_CHECKS]
    watches = [r for r in rest if not r.copies and r.horizon > rounds[0].horizon]
    for earliest, rivals in checks:
        between = [r for r in watches if late and rounds[-1].horizon < r.start < earliest]
        rounds += [r for r in between if r.horizon <= earliest]
        check = _round(max(rounds[-1].horizon, earliest), length, rivals, refines=not late)
        if check.price <= steps and check.horizon <= search.last:
            rounds.append(check)
            steps -= check.price
    watches = [r for r in watches if r.horizon > rounds[-1].horizon]
    rounds += behind(watches, rounds[-1].horizon, search.last)
    ready = replace(search, alive=(own,), rounds=tuple(rounds), spare=steps)
    return ready.of_its_rule().with_rivals()


def _round(
    start: int, length: int, factors: "list[float] | tuple[float, ...]", *, refines: bool = True
) -> Round:
    window = max(1, round(CHECK_WINDOW * length))
    return Round(start, start + length, window, tuple(factors), refines=refines)
