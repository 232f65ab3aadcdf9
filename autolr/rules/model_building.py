"""Steps from a model of the loss, built if the plain step was too long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from autolr.rules.base import Blend, LineSearch, Memory, Statistics, Trials
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.settings import Count, Positive, Real

_PAIRS = ("s.s", "s.y", "s.g", "y.y", "y.g", "g.g")
_FLAT = 1e-8  # norm of the gradient below which rounding decides whether the loss falls

Part = Annotated[float, Real(0, 1, open="both")]
Products = Mapping[str, NDArray[np.float64]]


@rule(
    "smb",
    family="search",
    peak=Peak(1.0, 1e-2, 10.0),
    schedules=SELF_DECAYING,
    source="Birbil et al. 2021, arXiv:2111.07058",
)
@dataclass(frozen=True, slots=True)
class ModelBuilding(LineSearch):
    """Stochastic model building: where a step disappoints, each tensor's is bent by a model.

    The move ``s = -step g`` is tried. If ``f(x + s) > f - c step |g|^2``, the gradient there
    gives y and, for each tensor by itself, with ``k = s.y + 2 sigma``,

        sigma = (|s| (|y| + |g| / eta) - s.y) / 2
        theta = k^2 - |s|^2 |y|^2
        c_g = -|s|^2 / (2 sigma)
        c_s = (c_g / theta) (|y|^2 s.g - k y.g)
        c_y = (c_g / theta) (|s|^2 y.g - k s.g)

    and the move is ``c_s s + c_g g + c_y y``, a descent no longer than ``eta |s|``. After each
    epoch the step falls, ``step beta``, if more than the share ``gamma`` of its steps were
    bent, else it rises, ``step / beta``. A step costs two evaluations. A peak of a few times
    what plain steps stand is repaired; from about ten times on the loss grows until the step
    has fallen. A trial that is not finite is not followed, and the step falls at once.

    Args:
        eta: How far a bent step may go, relative to the plain one.
        c: Share of the decrease that the gradient promises.
        auto: Whether the step adapts after each epoch.
        epoch: Steps of an epoch.
        gamma: Share of bent steps above which the step falls.
        beta: What it falls by.
        highest: Limit of the risen step.

    >>> flat = Statistics(step=0, rate=0.5, loss=1.0, products={"g.w": 1.0})
    >>> trials = ModelBuilding().trials(flat, {})
    >>> next(trials)
    0.5
    """

    eta: Part = 0.99
    c: Part = 0.1
    auto: bool = True
    epoch: Count = 500
    gamma: Part = 0.05
    beta: Part = 0.9
    highest: Positive = 20.0
    needs: ClassVar = ("loss", "g.w")

    @override
    def trials(self, statistics: Statistics, memory: Memory) -> Trials:
        slope = float(statistics["g.w"])
        size = float(memory.get("factor", 1.0)) * statistics.rate
        if slope < _FLAT**2:
            return size, self._remembered(memory, statistics.rate, bent=False)
        tried = yield size
        if tried <= statistics.loss - self.c * size * slope:
            return size, self._remembered(memory, statistics.rate, bent=False)
        products: Products = yield _PAIRS
        remembered = self._remembered(memory, statistics.rate, bent=True)
        if np.isfinite(tried) and all(np.isfinite(product).all() for product in products.values()):
            return self._bent(products), remembered
        return 0.0, {**remembered, "factor": self.beta * float(remembered["factor"])}

    def _bent(self, of: Products) -> Blend:
        """The formulas by lengths and cosines: no power of a length overflows or cancels."""
        s, y, g = (_or_one(np.sqrt(of[pair])) for pair in ("s.s", "y.y", "g.g"))
        sy, sg, yg = (of["s.y"] / s / y, of["s.g"] / s / g, of["y.g"] / y / g)
        moved = (of["s.s"] > 0) & (of["g.g"] > 0)  # other tensors stay
        y = np.sqrt(of["y.y"])
        a = g / self.eta
        c_g = np.where(moved, -s / (y * (1 - sy) + a), 0.0)
        c_y = self.eta * c_g * (y * yg - (y + a) * sg) / (2 * y + a)
        c_s = self.eta * c_g * (y * sg - (y + a) * yg) / (2 * y + a) * y / s
        return Blend(s=c_s, g=c_g, y=c_y)

    def _remembered(self, memory: Memory, rate: float, *, bent: bool) -> dict[str, float]:
        factor = float(memory.get("factor", 1.0))
        steps = float(memory.get("steps", 0.0)) + 1
        bends = float(memory.get("bends", 0.0)) + bent
        if not self.auto or steps < self.epoch:
            return {"factor": factor, "steps": steps, "bends": bends}
        if bends / steps > self.gamma:
            factor *= self.beta
        elif factor * rate / self.beta <= self.highest:
            factor /= self.beta
        return {"factor": factor, "steps": 0.0, "bends": 0.0}


def _or_one(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(lengths > 0, lengths, 1.0)
