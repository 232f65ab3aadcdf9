"""The scan for the rate at which training diverges."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

# Rates that are scanned whatever the optimizer's own is: three decades beyond 1e-3 and 1, between
# which optimizers commonly have theirs.
_LOWEST, _HIGHEST = 1e-6, 1e3
_AROUND = 1e4  # as far at least around the optimizer's own rate, which may be in another unit
_GROWTH = 10 ** (1 / 3)  # from step to step, where the budget allows: less than the race's factor 4
_SHARE = 0.25  # of the budget, at most: a choice, the race and its checks need the rest
_FEWEST = 12  # steps; fewer leave the edge open by more than the race can mend
_RISE = 0.25  # of what the loss had fallen by: a choice; lower ones take waves for the edge
_LEAST_FALL = 0.05  # of the first loss: a fall counts as that much at least, else noise is a rise
_STILL = 4  # steps at which the rate is too low to change the loss: its scatter there is noise
_SAFE = 10.0  # what the edge is divided by: near the mean ratio of 11 that `Scan` reports


@dataclass(frozen=True, slots=True)
class Scan:
    """A copy of a run trained at a rate that grows from step to step, until its loss rises.

    It takes losses and answers with the next rate. All steps are made on the same batch with the
    same generators: the loss is then a smooth curve, and needs no other loss to be compared with.
    The rates are spaced evenly in log rate, as the edge may lie in any decade.

    In 35 pairs of a task (of examples/time_to_target) and an optimizer the edge was 0.5 to 156
    times the best peak of whole runs, 11 in the geometric mean: hence the `centre`. All but one of
    those peaks are within a factor of 16 of it.

    Attributes:
        low: Rate of the first step.
        high: Rate of the last step, if it is ever made.
        most: Steps at most.
        losses: The training loss of each step so far, before the weights changed.

    Source: Smith 2017, "Cyclical Learning Rates", arXiv:1506.01186, section 3.3 (range test), here
    with rates that grow geometrically.
    """

    low: float
    high: float
    most: int
    losses: tuple[float, ...] = ()

    @classmethod
    def around(cls, own: float, cap: int) -> Self | None:
        """Return the scan for an optimizer with its own rate; None where it is too dear.

        Args:
            own: Scanned are 1e-6 to 1e3, and 4 decades on either side of this rate.
            cap: Probe steps of the whole search, at most; a scan takes up to a quarter of them.
        """
        low, high = min(_LOWEST, own / _AROUND), max(_HIGHEST, own * _AROUND)
        wished = 1 + math.ceil(math.log(high / low) / math.log(_GROWTH) - 1e-9)
        most = min(wished, int(_SHARE * cap))
        return cls(low, high, most) if most >= _FEWEST else None

    @property
    def steps(self) -> int:
        """How many steps have been made."""
        return len(self.losses)

    @property
    def rate(self) -> float | None:
        """The rate of the next step; None when the scan is over."""
        made = self.steps
        over = made == self.most or (made > 0 and self._has_risen(made - 1))
        return None if over else self._rate(made)

    @property
    def edge(self) -> float | None:
        """The rate of the step that made the loss rise; None if none did."""
        risen = next((k for k in range(self.steps) if self._has_risen(k)), 0)
        return self._rate(risen - 1) if risen else None

    @property
    def last(self) -> float:
        """The rate of the last step that was made."""
        return self._rate(self.steps - 1)

    @property
    def centre(self) -> float | None:
        """The peak around which to search, safely below the edge; None without an edge."""
        return None if self.edge is None else self.edge / _SAFE

    def observe(self, loss: float) -> Self:
        """Take in the loss of a step."""
        return replace(self, losses=(*self.losses, loss))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` takes them back."""
        losses = [repr(loss) for loss in self.losses]
        return {"low": self.low, "high": self.high, "most": self.most, "losses": losses}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the scan that `to_dict` described."""
        losses = tuple(map(float, values["losses"]))
        return cls(values["low"], values["high"], values["most"], losses)

    def _rate(self, step: int) -> float:
        ratio = self.high / self.low
        return float(self.low * ratio ** (step / (self.most - 1)))

    def _has_risen(self, step: int) -> bool:
        """Return whether a loss is clearly above the lowest before it, or not finite."""
        loss, before = self.losses[step], self.losses[:step]
        if not math.isfinite(loss):
            return True
        if not before:
            return False
        lowest, still = min(before), self.losses[:_STILL]
        fall = max(before[0] - lowest, _LEAST_FALL * abs(before[0]))
        noise = max(still) - min(still) if step >= _STILL else math.inf
        return loss > lowest + max(_RISE * fall, noise)
