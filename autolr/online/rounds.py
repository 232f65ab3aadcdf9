"""Comparisons of a run with rivals: in shares of the run, and in steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from autolr.schedules import Schedule

SHORTEST_CHECK = 6
"""Steps of a round behind the race, at least: 60 % of them are 4, enough to average."""

COPIES = 2
"""Copies that are trained beside a run in doubt: one of its best state, one of it."""

RACE_WINDOW = 0.3
"""The share of a race that is averaged for the score.

It lies behind the warm-up, and is as long as the cooldown on a copy for which the average stands
(25 to 35 % of the race were tried).
"""

CHECK_WINDOW = 0.6
"""The same of a check: twice, as it begins from a trained state."""


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
        continues: See `Probe`.
        from_saved: See `Probe`.
        once: Whether a race that continues has shown something, and is judged as one that had not
            continued.
        lead: By how much the rival led when the same comparison ended a first time; it wins if it
            has not lost of that. 0: there was none.
        waits: See `Probe`.
        own: Whether the rate that the user has set trains on beside the run, from where the last
            round has left it.
    """

    start: int
    horizon: int
    window: int
    factors: tuple[float, ...] = ()
    refines: bool = False
    profiles: tuple[Schedule, ...] = ()
    continues: bool = False
    from_saved: bool = False
    once: bool = False
    lead: float = 0.0
    waits: bool = False
    own: bool = False

    @property
    def copies(self) -> int:
        """How many copies of the run are trained in it, but for the race."""
        return len(self.factors) + (1 + len(self.profiles) if self.profiles else 0)

    @property
    def is_look(self) -> bool:
        """Whether the saved state is only scored, as it is, beside the run."""
        return self.from_saved and self.horizon == self.start

    @property
    def judges_own(self) -> bool:
        """Whether the run is compared with the user's own rate, and with nothing else."""
        return self.own and not self.factors

    @property
    def price(self) -> int:
        """The steps that these copies make, but for the race."""
        return self.copies * (self.horizon - self.start)


def outward(factors: Sequence[float], *, up: bool) -> tuple[float, ...]:
    """Return factors that all raise or all lower: those that do not go twice as far there.

    Args:
        factors: In units of the run's rate, none of them 1.
        up: Whether all shall raise the rate.

    >>> outward((0.5, 2.0), up=True)
    (4.0, 2.0)
    """
    return tuple(factor if (factor > 1) == up else factor**-2 for factor in factors)


def price(rounds: Sequence[Round], candidates: int) -> int:
    """Return the steps that a search makes outside the live run, whose own are free.

    Args:
        rounds: The race and the later rounds.
        candidates: How many race.

    >>> price([Round(0, 20, 6), Round(50, 60, 6, factors=(0.5, 2.0))], candidates=5)
    100
    """
    race = (candidates - 1) * (rounds[0].horizon - rounds[0].start) if rounds else 0
    return race + sum(r.price for r in rounds[1:])
