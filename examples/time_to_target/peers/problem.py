"""What a study by any package searches: a space, and runs that can be continued."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

PARTS = 27  # of a run
RUNGS = (1, 3, 9, PARTS)
"""After how many parts a run may be judged: eta 3."""

Value = float | int | str
Point = Mapping[str, Value]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, uniform or uniform in the log."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Value, ...]


Space = Mapping[str, Range | Choice]


class Training(Protocol):
    """One run, in parts.

    Attributes:
        spent: What was spent on it so far, in runs of the default setting.
    """

    spent: float

    def until(self, part: int) -> float:
        """Train until so many of `PARTS` are done; return the validation loss, inf if lost."""


class Problem(Protocol):
    """A workload at one seed, and the space of its settings. It can be pickled."""

    @property
    def space(self) -> Space:
        """The settings and their values."""

    @property
    def default(self) -> Point:
        """The setting of the workload's user."""

    def begin(self, point: Point) -> Training:
        """Return a run at a point, not yet trained."""
