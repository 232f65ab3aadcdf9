"""Polyak's step for gradient descent with momentum."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Inertia, Memory, Rule, Statistics
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.rules.lower_bound import LowerBound, excess
from autolr.rules.polyak import reach
from autolr.settings import Beta, Positive

_ALR = "Wang et al. 2023, arXiv:2305.12939"


@rule("alr_mag", family="polyak", peak=Peak(1.0, 0.1, 2.0), schedules=SELF_DECAYING, source=_ALR)
@dataclass(frozen=True, slots=True)
class AlrMag(Rule):
    """Polyak's step along the moving sum of gradients, without a cap.

        d <- beta d + g
        step = rate (f - f*)+ / |d|^2

    For full gradients; with batches prefer `AlrSmag`, which is capped.

    Args:
        beta: Momentum.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"d.d": 8.0})
    >>> AlrMag().step(far, {})[0]
    0.25
    """

    beta: Beta = 0.9
    f_star: LowerBound = 0.0
    needs: ClassVar = ("loss", "d.d")
    direction: ClassVar = "momentum"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return statistics.rate * self._polyak(statistics), memory

    def _polyak(self, statistics: Statistics) -> float:
        return reach(excess(self.f_star, statistics), statistics["d.d"])


@rule("alr_smag", family="polyak", peak=Peak(0.1, 1e-2, 1.0), schedules=SELF_DECAYING, source=_ALR)
@dataclass(frozen=True, slots=True)
class AlrSmag(AlrMag):
    """Polyak's step along the moving sum of gradients, at most the rate.

        d <- beta d + g
        step = min((f - f*)+ / (c |d|^2), rate)

    The sum is up to ``1 / (1 - beta)`` gradients long, so the rate compares with that of SGD
    with momentum.

    Args:
        beta: Momentum.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        c: Divides the size.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"d.d": 8.0})
    >>> AlrSmag(c=0.5).step(far, {})[0]
    0.5
    """

    c: Positive = 1.0

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return min(self._polyak(statistics) / self.c, statistics.rate), memory


@rule(
    "alr_hb",
    family="polyak",
    peak=Peak(0.1, 1e-2, 1.0),
    schedules=SELF_DECAYING,
    source=f"derived here, after {_ALR}",
)
@dataclass(frozen=True, slots=True)
class AlrHb(Rule):
    """Polyak's step for the heavy ball, at most the rate.

        step = min((f - f* + beta <g, v>)+ / (c |g|^2), rate)
        v <- beta v - step g,  x <- x + v

    At ``c = 1`` the size is the one with the lowest bound of the distance to the optimum after
    the step, for a convex loss: ``|x + beta v - step g - x*|^2`` with ``<g, x - x*> >= f - f*``.
    The formula is derived here; the printed form of the paper was not at hand. Without the cap,
    which is that of `AlrSmag`, it diverges on batches.

    Args:
        beta: Momentum.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.
        c: Divides the size.

    >>> products = {"g.g": 8.0, "g.v": -1.0}
    >>> AlrHb(beta=0.5).step(Statistics(step=1, rate=1.0, loss=2.5, products=products), {})[0]
    0.25
    """

    beta: Beta = 0.9
    f_star: LowerBound = 0.0
    c: Positive = 1.0
    needs: ClassVar = ("loss", "g.g", "g.v")
    inertia: ClassVar[Inertia] = "heavy ball"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        height = excess(self.f_star, statistics) + self.beta * statistics["g.v"]
        return min(reach(height, self.c * statistics["g.g"]), statistics.rate), memory


@rule(
    "momsps",
    family="polyak",
    peak=Peak(10.0, 0.1, 100.0),
    schedules=SELF_DECAYING,
    source="Oikonomou & Loizou 2025, arXiv:2406.04142",
)
@dataclass(frozen=True, slots=True)
class MomSps(Rule):
    """Stochastic Polyak step for the heavy ball, at most the rate before the momentum.

        step = (1 - beta) min((f - f*)+ / (c |g|^2), rate)
        v <- beta v - step g,  x <- x + v

    Args:
        beta: Momentum.
        c: Divides the size.
        f_star: Lower bound of the loss of a batch, or a function of the step that returns it.

    >>> far = Statistics(step=0, rate=1.0, loss=2.0, products={"g.g": 8.0})
    >>> MomSps(beta=0.5).step(far, {})[0]
    0.125
    """

    beta: Beta = 0.9
    c: Positive = 1.0
    f_star: LowerBound = 0.0
    needs: ClassVar = ("loss", "g.g")
    inertia: ClassVar[Inertia] = "heavy ball"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        polyak = reach(excess(self.f_star, statistics), self.c * statistics["g.g"])
        return (1 - self.beta) * min(polyak, statistics.rate), memory
