"""How the steps of a search are spent: when the run is compared with rivals, for how long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autolr.schedules import Schedule

_FLOOR = 12  # steps of the race, where the budget allows them
_SHORTEST = 4  # steps of the race; shorter ones have nothing to average
_SHORTEST_CHECK = 6  # steps of a later round, however much the budget shortens it
_RACE_WINDOW = 0.3  # share of the race that is averaged for the score, behind the warm-up
_CHECK_WINDOW = 0.6  # the same of a check, which begins from a trained state
_WATCH_WINDOW = 0.05  # share of the run that is averaged where it is only watched


@dataclass(frozen=True)  # without slots: the parser of LightningCLI reads defaults by vars()
class Check:
    """A comparison of the run with rivals at other rates, which are copied from it on the way.

    Attributes:
        start: When the rivals are copied from the run, as a share of the run.
        end: When all are scored.
        factors: The rates of the rivals in units of the run's; without any, the run is scored
            alone and compared with its own past.
        refines: Whether a winner changes the peak, with what it did before rewritten in its
            units; otherwise it changes the schedule from there on.
        profiles: What the rest of the run may follow other than its schedule. They are compared
            instead of rates, by copies of the run that follow all of the rest from ``start`` to
            ``end``, shrunk, and are thrown away.
    """

    start: float
    end: float
    factors: tuple[float, ...] = ()
    refines: bool = False
    profiles: tuple[Schedule, ...] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """One comparison, in steps of the run.

    Attributes:
        start: Step at which the rivals are copied from the run; 0 for the race that begins a
            search.
        horizon: Step at which all are scored.
        window: How many of the last steps before it are averaged for the score.
        factors: See `Check`.
        refines: See `Check`.
        profiles: See `Check`.
    """

    start: int
    horizon: int
    window: int
    factors: tuple[float, ...] = ()
    refines: bool = False
    profiles: tuple[Schedule, ...] = ()

    @property
    def copies(self) -> int:
        """How many copies of the run are trained in it, but for the race."""
        return len(self.factors) + (1 + len(self.profiles) if self.profiles else 0)


def outward(factors: Sequence[float], *, up: bool) -> tuple[float, ...]:
    """Return factors that all raise or all lower: those that do not go twice as far there.

    >>> outward((0.5, 2.0), up=True)
    (4.0, 2.0)
    """
    return tuple(factor if (factor > 1) == up else factor**-2 for factor in factors)


def price(rounds: Sequence[Round], candidates: int) -> int:
    """Return the steps that a search makes outside the live run, whose own are free.

    >>> price([Round(0, 20, 6), Round(50, 60, 6, factors=(0.5, 2.0))], candidates=5)
    100
    """
    race = (candidates - 1) * rounds[0].horizon if rounds else 0
    return race + sum(r.copies * (r.horizon - r.start) for r in rounds[1:])


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
    rounds = [Round(0, first, max(1, round(_RACE_WINDOW * first)))]
    for check in checks:
        reached = rounds[-1].horizon
        length = max(_SHORTEST_CHECK, round(shrink * (check.end - check.start) * total_steps))
        if check.factors or check.profiles:
            start = max(reached, round(check.start * total_steps))
            window = 0 if check.profiles else round(_CHECK_WINDOW * length)
        else:
            start = max(reached, round(check.end * total_steps) - length)
            window = max(_SHORTEST_CHECK, round(_WATCH_WINDOW * total_steps))
        if start + length >= total_steps:
            break
        window = min(window, start + length - reached)
        rivals = (check.factors, check.refines, check.profiles)
        rounds.append(Round(start, start + length, window, *rivals))
    return tuple(rounds)
