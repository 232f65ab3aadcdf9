"""The budget of a study: it counts what all runs cost, and keeps what whole runs came to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.time_to_target.peers.problem import PARTS, Point, Problem, Training


class Spent(Exception):
    """The budget of a study is spent."""


@dataclass(frozen=True)
class Ended:
    """A run that was trained to its end.

    Attributes:
        spent: By the study until then, in runs of the default setting.
        loss: The run's final validation loss.
        point: Its setting.
    """

    spent: float
    loss: float
    point: Point


@dataclass
class Budget:
    """What a study may spend, and what it has.

    Attributes:
        problem: What is searched.
        runs: The budget, in runs of the default setting.
        spent: So far.
        ended: The runs that were trained to their end, in order.
    """

    problem: Problem
    runs: float
    spent: float = 0.0
    ended: list[Ended] = field(default_factory=list)

    def begin(self, point: Point) -> Training:
        """Return a run at a point whose costs are counted."""
        self.check()
        return _Counted(self, self.problem.begin(point), point)

    def check(self) -> None:
        """End the study when nothing is left.

        Raises:
            Spent: If so.
        """
        if self.spent >= self.runs:
            raise Spent

    def charge(self, spent: float, part: int, loss: float, point: Point) -> None:
        """Count what a run has cost until a part, and note it when that is its end."""
        self.spent += spent
        if part == PARTS:
            self.ended.append(Ended(self.spent, loss, point))


def best(ended: Sequence[Ended], runs: float) -> float:
    """Return the lowest loss of the runs that ended within a budget; inf without one."""
    return min((one.loss for one in ended if one.spent <= runs), default=math.inf)


class _Counted:
    """A run whose costs a budget counts."""

    def __init__(self, budget: Budget, training: Training, point: Point) -> None:
        self.spent = 0.0
        self._budget, self._training, self._point = budget, training, point

    def until(self, part: int) -> float:
        """Train until a part, unless nothing is left."""
        self._budget.check()
        before = self._training.spent
        loss = self._training.until(part)
        self.spent = self._training.spent
        self._budget.charge(self.spent - before, part, loss, self._point)
        return loss
