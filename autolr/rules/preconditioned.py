"""Polyak's step along gradients that are scaled element by element."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.rules.lower_bound import LowerBound, excess
from autolr.rules.polyak import reach
from autolr.settings import Beta, Positive

_SANIA = "Abdukhakimov et al. 2023, arXiv:2312.17369"


@rule(
    "sania_adagrad",
    family="polyak",
    peak=Peak(1.0, 0.1, 2.0),
    schedules=SELF_DECAYING,
    source=_SANIA,
)
@dataclass(frozen=True, slots=True)
class SaniaAdagrad(Rule):
    """SANIA AdaGrad-SQR: Polyak's step on a quadratic model, curved as the sum of squares.

        B = sum of all g^2 + eps,  q = <g, g / B>
        step = rate (1 - sqrt(1 - 2 (f - f*)+ / q)),  or rate where 2 (f - f*) > q
        x <- x - step g / B

    There is no root of B, which makes the way of the weights independent of their units: a
    diagonal change of variables changes nothing (up to eps). It is not independent of the unit of
    the loss: where eps is small and gradients are too, the first step, 1 / g for each element, goes
    far. The sum never shrinks, so steps fall as 1/t at best: for convex problems.

    Args:
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        eps: Squares below it do not count. The authors have 0.1 for networks, 1e-8 for small
            convex problems.

    >>> half = Statistics(step=0, rate=1.0, loss=0.375, products={"g.d": 1.0})
    >>> SaniaAdagrad().step(half, {})[0]
    0.5
    """

    f_star: LowerBound = 0.0
    eps: Positive = 0.1
    needs: ClassVar = ("loss", "g.d")
    direction: ClassVar = "sum_scaled"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        explained = 2 * reach(excess(self.f_star, statistics), statistics["g.d"])
        return statistics.rate * (1 - math.sqrt(max(1 - explained, 0.0))), memory


@rule(
    "sania_adam", family="polyak", peak=Peak(1.0, 0.1, 2.0), schedules=SELF_DECAYING, source=_SANIA
)
@dataclass(frozen=True, slots=True)
class SaniaAdam(SaniaAdagrad):
    """SANIA Adam-SQR: Polyak's step on a quadratic model, curved as the mean of squares.

    The formulas are those of `SaniaAdagrad` with ``B = v + eps``, where v is Adam's corrected
    average of squared gradients. There is no momentum.

    Args:
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        eps: Squares below it do not count; see `SaniaAdagrad`.
        beta2: Share of the average of squared gradients that stays.

    >>> far = Statistics(step=0, rate=1.0, loss=3.0, products={"g.d": 1.0})
    >>> SaniaAdam().step(far, {})[0]
    1.0
    """

    beta2: Beta = 0.999
    direction: ClassVar = "square_scaled"


@rule(
    "psps_adam",
    family="polyak",
    peak=Peak(1.0, 0.1, 2.0),
    schedules=SELF_DECAYING,
    source="Abdukhakimov et al. 2023, arXiv:2310.02093; slack: Gower et al. 2022, arXiv:2202.12328",
)
@dataclass(frozen=True, slots=True)
class PspsAdam(Rule):
    """Polyak's step along gradients scaled as Adam's, without a cap.

        D = sqrt(v) + eps,  q = <g, g / D>,  x <- x - step g / D
        slack "none":  step = rate (f - f*)+ / q
        slack "l1":    a = (f - f* - s + w)+ / (1 + q),  step = rate min(a, (f - f*)+ / q),
                       s <- (s - w + a)+
        slack "l2":    b = 1 / (1 + w),  step = rate (f - f* - b s)+ / (q + b),
                       s <- b (s + step / rate)

    v is Adam's corrected average of squared gradients; there is no momentum. The slack s, 0 at the
    start, is the loss that cannot be removed: for data that the model does not fit.

    Args:
        slack: How the slack is paid for.
        weight: Price w of the slack.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        beta2: Share of the average of squared gradients that stays.
        eps: Against division by 0.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"g.d": 8.0})
    >>> PspsAdam().step(far, {})[0]
    0.25
    """

    slack: Literal["none", "l1", "l2"] = "none"
    weight: Positive = 0.01
    f_star: LowerBound = 0.0
    beta2: Beta = 0.999
    eps: Positive = 1e-8
    needs: ClassVar = ("loss", "g.d")
    direction: ClassVar = "rms_scaled"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        height, slope = (
            excess(self.f_star, statistics),
            float(statistics["g.d"]),
        )
        if self.slack == "none":
            return statistics.rate * reach(height, slope), memory
        take = self._l1 if self.slack == "l1" else self._l2
        size, slack = take(height, slope, float(memory.get("slack", 0.0)))
        return statistics.rate * size, {"slack": slack}

    def _l1(self, height: float, slope: float, slack: float) -> tuple[float, float]:
        tried = reach(height - slack + self.weight, 1 + slope)
        return min(tried, reach(height, slope)), max(slack - self.weight + tried, 0.0)

    def _l2(self, height: float, slope: float, slack: float) -> tuple[float, float]:
        share = 1 / (1 + self.weight)
        size = reach(height - share * slack, slope + share)
        return size, share * (slack + size)
