"""How the steps of a search are spent: which horizons, for how many candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHORTEST_HORIZON = 4  # steps; a probe under it has no room for a trunk and an anneal


@dataclass(frozen=True, slots=True)
class Rung:
    """One round of probes.

    Attributes:
        horizon: Step of the run at which the candidates are scored.
        cooldown: Length of the annealed copies that end there, in steps.
        keep: How many candidates go on after it.
    """

    horizon: int
    cooldown: int
    keep: int


def price(rungs: Sequence[Rung], candidates: int) -> int:
    """Return the steps that a search makes outside the live run.

    One of the candidates is the live run itself, its trunk is free; its annealed copies are not.

    >>> price([Rung(horizon=20, cooldown=6, keep=2), Rung(80, 24, 1)], candidates=5)
    218
    """
    steps, alive, reached = 0, candidates, 0
    for rung in rungs:
        steps += (alive - 1) * (rung.horizon - reached) + alive * rung.cooldown
        alive, reached = min(alive, rung.keep), rung.horizon
    return steps


def plan_rungs(
    horizons: Sequence[int], cooldown: float, candidates: int, cap: int
) -> tuple[Rung, ...]:
    """Return the rungs of a successive halving that fit under a cap of steps.

    All horizons are shrunk alike until the price fits. Where even the shortest do not, fewer
    horizons are tried; where one does not fit, there is no rung.

    Args:
        horizons: Wished steps of the run at which candidates are scored, rising.
        cooldown: Length of the annealed copies, as a share of their horizon.
        candidates: How many start; after the first rung the best two go on.
        cap: Steps outside the live run, at most.

    Returns:
        The rungs; empty when the run is too short for any search.
    """
    for count in range(len(horizons), 0, -1):
        for shrink in (1 - percent / 100 for percent in range(100)):
            rungs = _rungs([h * shrink for h in horizons[:count]], cooldown)
            if rungs[0].horizon < _SHORTEST_HORIZON:
                break
            if price(rungs, candidates) <= cap:
                return rungs
    return ()


def _rungs(horizons: Sequence[float], cooldown: float) -> tuple[Rung, ...]:
    steps: list[int] = []
    for horizon in horizons:
        steps.append(max(round(horizon), steps[-1] + 1 if steps else 1))
    last = len(steps) - 1
    rungs = []
    for index, horizon in enumerate(steps):
        longest = horizon - (steps[index - 1] if index else 0)
        length = min(longest, max(2, round(cooldown * horizon)))
        rungs.append(Rung(horizon, length, keep=1 if index == last else 2))
    return tuple(rungs)
