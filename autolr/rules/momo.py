"""MoMo: Polyak's step on an average of the last batches' linear models."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Number, Rule, Statistics, newest_share
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.rules.lower_bound import LowerBound, lowest
from autolr.rules.polyak import reach
from autolr.settings import Beta, Positive

_MOMO = "Schaipp et al. 2024, arXiv:2305.07583"


@dataclass(frozen=True, slots=True)
class _Momo(Rule):
    """What MoMo and MoMo-Adam have in common."""

    f_star: LowerBound = 0.0
    estimate: bool = False

    def _size(
        self, statistics: Statistics, memory: Memory, share: float, along: Number, squared: Number
    ) -> Answer:
        """Return the size of the step, and what is remembered.

        Args:
            statistics: Of this step.
            memory: Of the last one.
            share: Of the newest value in an average.
            along: ``<m, x>``.
            squared: The slope along the direction.
        """
        loss = _averaged(memory, "loss", statistics.loss, share)
        offset = _averaged(memory, "offset", statistics["g.x"], share)
        model = float(loss - offset + along)
        bound = lowest(self.f_star, statistics.step)
        expected = float(memory.get("lowest", bound))
        if self.estimate and model < expected:
            expected = max(model / 2, bound)
        size = min(reach(model - expected, squared), statistics.rate)
        remembered: dict[str, Number] = {"loss": loss, "offset": offset}
        if self.estimate:
            remembered["lowest"] = max(model - size * float(squared) / 2, bound)
        return size, remembered


@rule("momo", family="polyak", peak=Peak(1.0, 1e-2, 10.0), schedules=SELF_DECAYING, source=_MOMO)
@dataclass(frozen=True, slots=True)
class Momo(_Momo):
    """Polyak's step on an average of the last batches' linear models, at most the rate.

        F, G, m = averages of f, <g, x> and g:  F <- beta F + (1 - beta) f
        step = min((F - G + <m, x> - f*)+ / |m|^2, rate)
        x <- x - step m

    The averages begin with the first batch's values, or with Adam's correction. Weight decay here
    is decoupled; the paper's proximal one is not written.

    Args:
        f_star: Lower bound of the loss of a batch, or a function of the step that
            returns it; where it is estimated, of the estimate.
        estimate: Whether to estimate the lowest loss in the run: ``f* <- F - G + <m, x> -
            step |m|^2 / 2``, halved where the model falls below it.
        beta: Momentum.
        bias_correction: Whether all batches count by their age alone.

    >>> products = {"g.x": 4.0, "d.x": 4.0, "d.d": 8.0}
    >>> Momo().step(Statistics(step=0, rate=1.0, loss=2.0, products=products), {})
    (0.25, {'loss': 2.0, 'offset': 4.0})
    """

    beta: Beta = 0.9
    bias_correction: bool = False
    needs: ClassVar = ("loss", "g.x", "d.x", "d.d")
    direction: ClassVar = "average"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        share = newest_share(self.beta, statistics.step, self.bias_correction)
        return self._size(statistics, memory, share, statistics["d.x"], statistics["d.d"])


@rule(
    "momo_adam", family="polyak", peak=Peak(1e-2, 1e-4, 1.0), schedules=SELF_DECAYING, source=_MOMO
)
@dataclass(frozen=True, slots=True)
class MomoAdam(_Momo):
    """MoMo with Adam's scaling: an Adam whose rate is a cap.

        F, G, m, v = averages of f, <g, x>, g and g^2, with Adam's correction
        D = sqrt(v) + eps
        step = min((F - G + <m, x> - f*)+ / <m, m / D>, rate)
        x <- x - step m / D

    Args:
        f_star: Lower bound of the loss of a batch, or a function of the step that
            returns it; where it is estimated, of the estimate.
        estimate: Whether to estimate the lowest loss in the run, as `Momo` does.
        beta1: Momentum.
        beta2: Share of the average of squared gradients that stays.
        eps: Against division by 0.

    >>> products = {"g.x": 4.0, "m.x": 4.0, "m.d": 8.0}
    >>> MomoAdam().step(Statistics(step=0, rate=1.0, loss=2.0, products=products), {})[0]
    0.25
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Positive = 1e-8
    needs: ClassVar = ("loss", "g.x", "m.x", "m.d")
    direction: ClassVar = "adam"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        share = newest_share(self.beta1, statistics.step)
        return self._size(statistics, memory, share, statistics["m.x"], statistics["m.d"])


def _averaged(memory: Memory, name: str, value: Number, share: float) -> Number:
    last = memory.get(name, value)
    return last + share * (value - last)
