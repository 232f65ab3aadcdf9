"""How the steps of a search are spent: when the run is compared with rivals, for how long."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from autolr.online.rounds import (
    CHECK_WINDOW,
    RACE_WINDOW,
    SHORTEST_CHECK,
    Check,
    Round,
    price,
)

_FLOOR = 12  # steps of the race where the budget allows them: a choice, no measured optimum
_SHORTEST = 4  # steps of the race; shorter ones have nothing to average
_WATCH_WINDOW = 0.05  # share of the run that is averaged where it is only watched: a choice


def plan_rounds(
    race: int, checks: Sequence[Check], total_steps: int, candidates: int, cap: int
) -> tuple[Round, ...]:
    """Return the rounds of a search that fit under a cap of steps.

    All are shortened alike until the price fits, the race not below 12 steps; then the last
    checks with rivals are given up one by one; then the race is shortened further, down to 4.
    Checks without rivals cost no steps and stay, as far as they lie behind the others.

    Args:
        race: Wished length of the first round, in steps.
        checks: The later rounds, rising.
        total_steps: Optimizer steps of the run.
        candidates: How many start.
        cap: Steps outside the live run, at most.

    Returns:
        The rounds; empty when the run is too short for any search.
    """
    for fewer, shrink in _attempts(race, checks):
        rounds = _rounds(race * shrink, fewer, total_steps, shrink)
        if rounds[0].horizon < min(race, _SHORTEST) or rounds[0].horizon >= total_steps:
            continue
        if price(rounds, candidates) <= cap:
            return rounds
    return ()


def _attempts(race: int, checks: Sequence[Check]) -> Iterator[tuple[list[Check], float]]:
    """Yield what may be tried, the most wished first."""
    shrinks = [1 - percent / 100 for percent in range(100)]
    kept = list(checks)
    while True:
        for shrink in shrinks:
            if race * shrink >= min(race, _FLOOR):
                yield kept, shrink
        costly = [index for index, check in enumerate(kept) if check.factors or check.profiles]
        if not costly:
            break
        kept = [
            replace(check, factors=(), profiles=()) if index == costly[-1] else check
            for index, check in enumerate(kept)
        ]
    for shrink in shrinks:
        yield kept, shrink


def _rounds(
    race: float, checks: Sequence[Check], total_steps: int, shrink: float
) -> tuple[Round, ...]:
    first = max(1, round(race))
    rounds = [Round(0, first, max(1, round(RACE_WINDOW * first)))]
    for check in checks:
        reached = rounds[-1].horizon
        length = max(SHORTEST_CHECK, round(shrink * (check.end - check.start) * total_steps))
        if check.factors or check.profiles:
            start = max(reached, round(check.start * total_steps))
            window = 0 if check.profiles else round(CHECK_WINDOW * length)
        else:
            start = max(reached, round(check.end * total_steps) - length)
            window = max(SHORTEST_CHECK, round(_WATCH_WINDOW * total_steps))
        if start + length >= total_steps:
            break
        window = min(window, start + length - reached)
        rivals = (check.factors, check.refines, check.profiles)
        rounds.append(Round(start, start + length, window, *rivals))
    return tuple(rounds)
