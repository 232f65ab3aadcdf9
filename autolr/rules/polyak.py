"""Polyak's step: from the distance of the loss to its lowest value, over the squared gradient."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Inertia, Memory, Number, Rule, Statistics
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.rules.lower_bound import LowerBound, excess
from autolr.settings import Beta, Count, NotNegative, Positive

_SPS = "Loizou et al. 2021, arXiv:2002.10542"


def reach(height: Number, squared: Number) -> float:
    """Return the step after which a linear model of the loss reaches the lowest loss.

    Args:
        height: Loss minus the lowest one; below 0 it counts as 0.
        squared: Slope along the direction; 0 gives no step.

    >>> reach(2.0, 8.0), reach(-1.0, 8.0), reach(2.0, 0.0)
    (0.25, 0.0, 0.0)
    """
    return max(float(height), 0.0) / float(squared) if squared else 0.0


@rule("sps", family="polyak", peak=Peak(1.0, 0.1, 2.0), schedules=SELF_DECAYING, source=_SPS)
@dataclass(frozen=True, slots=True)
class Sps(Rule):
    """Stochastic Polyak step, without a cap.

        step = rate (f - f*)+ / (c |g|^2 + eps)

    A gradient shorter than 1e-8 is not followed. It converges where one set of weights fits all
    batches; elsewhere a batch with a short gradient throws it far, so prefer `SpsMax`.

    Args:
        c: 1/2 is best in theory for convex problems.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        eps: Against division by 0.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"g.g": 8.0})
    >>> round(float(Sps().step(far, {})[0]), 6)
    0.5
    """

    c: Positive = 0.5
    f_star: LowerBound = 0.0
    eps: NotNegative = 1e-8
    needs: ClassVar = ("loss", "g.g")

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return statistics.rate * self._polyak(statistics), memory

    def _polyak(self, statistics: Statistics) -> float:
        squared = statistics["g.g"]
        if squared < _STATIONARY**2:
            return 0.0
        return reach(excess(self.f_star, statistics), self.c * squared + self.eps)


@rule("sps_max", family="polyak", peak=Peak(1.0, 1e-2, 10.0), schedules=SELF_DECAYING, source=_SPS)
@dataclass(frozen=True, slots=True)
class SpsMax(Sps):
    """Stochastic Polyak step, at most the rate.

        step = min((f - f*)+ / (c |g|^2 + eps), rate)

    A gradient shorter than 1e-8 is not followed. Without a schedule it stops in a neighbourhood of
    the optimum where no weights fit all batches: a smaller peak makes it smaller.

    Args:
        c: 1/2 is best in theory for convex problems.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        eps: Against division by 0.

    >>> far = Statistics(step=0, rate=0.1, loss=2.0, products={"g.g": 8.0})
    >>> SpsMax().step(far, {})[0]
    0.1
    """

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return min(self._polyak(statistics), statistics.rate), memory


@rule("sps_smooth", family="polyak", peak=Peak(1.0, 0.1, 2.0), schedules=SELF_DECAYING, source=_SPS)
@dataclass(frozen=True, slots=True)
class SpsSmooth(Sps):
    """Stochastic Polyak step that grows slowly.

        size = min((f - f*)+ / (c |g|^2 + eps), tau^(1 / batches) x last size)
        step = rate size

    The last size is 1 before the first step; a size of 0 is not remembered, as nothing would ever
    move again. A gradient shorter than 1e-8 is not followed.

    Args:
        c: 1/2 is best in theory for convex problems.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        tau: How much the size may grow in an epoch.
        batches: Steps of an epoch.
        eps: Against division by 0.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"g.g": 0.5})
    >>> SpsSmooth(batches=1).step(far, {})
    (2.0, {'size': 2.0})
    """

    tau: Positive = 2.0
    batches: Count = 256

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        last = float(memory.get("size", 1.0))
        size = min(self._polyak(statistics), self.tau ** (1 / self.batches) * last)
        return statistics.rate * size, {"size": size or last}


@rule(
    "alig",
    family="polyak",
    peak=Peak(0.1, 1e-2, 10.0),
    schedules=SELF_DECAYING,
    source="Berrada et al. 2020, arXiv:1906.05661",
)
@dataclass(frozen=True, slots=True)
class AliG(Rule):
    """ALI-G: Polyak's step for models that fit all data, at most the rate.

        step = min((f - f*)+ / (|g|^2 + eps), rate)
        v <- beta v - step g,  x <- x - step g + beta v

    Made for interpolation with regularization as a constraint; weight decay lifts the lowest loss
    above 0, for which its formula has no place.

    Args:
        beta: Nesterov momentum; the paper's experiments have 0.9.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        eps: Against division by 0. The authors have 1e-5, the library pytorch_optimizer 1e-6.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"g.g": 8.0})
    >>> round(float(AliG().step(far, {})[0]), 6)
    0.25
    """

    beta: Beta = 0.0
    f_star: LowerBound = 0.0
    eps: NotNegative = 1e-5
    needs: ClassVar = ("loss", "g.g")
    inertia: ClassVar[Inertia] = "nesterov"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        polyak = reach(excess(self.f_star, statistics), statistics["g.g"] + self.eps)
        return min(polyak, statistics.rate), memory


_STATIONARY = 1e-8  # norm of the gradient below which it is mostly rounding
