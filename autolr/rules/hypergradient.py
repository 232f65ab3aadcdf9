"""Rates that follow their own gradient: longer while steps agree, shorter where they turn."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule
from autolr.settings import Beta, Positive, Real

_HD = "Baydin et al. 2018, arXiv:1703.04782"

Part = Annotated[float, Real(0, 1, open="both")]
Low = Annotated[float, Real(0, 1, open="low")]
High = Annotated[float, Real(1)]


@rule("hypergradient_sgd", family="hypergradient", peak=Peak(0.1, 1e-4, 10.0), source=_HD)
@dataclass(frozen=True, slots=True)
class HypergradientSGD(Rule):
    """The rate times a factor that grows while successive gradients agree.

        factor = clip(factor (1 + beta <g, u> / (|g| |u|)), low, high)
        step = rate factor

    with u the last direction: the derivative of the loss by the last step is ``-<g, u>``. The
    paper adds ``beta <g, u>`` to the rate; here the change is normalised by both lengths, so
    that ``beta`` has no scale, and the factor is bounded as in FedHyper (Wang et al. 2023,
    arXiv:2310.03156). It makes up for a rate that is wrong by a few times. Where noise
    outweighs the gradient the angle says little and the factor stays about 1.

    Args:
        beta: Change of the factor in a step, at most.
        low: Smallest factor.
        high: Largest factor.

    >>> agree = {"g.g": 4.0, "g.u": 6.0, "u.u": 9.0}
    >>> step, memory = HypergradientSGD(beta=0.1).step(Statistics(1, 0.1, 0.0, agree), {})
    >>> round(float(step), 6), round(float(memory["factor"]), 6)
    (0.11, 1.1)
    """

    beta: Part = 0.02
    low: Low = 0.2
    high: High = 5.0
    needs: ClassVar = ("g.g", "g.u", "u.u")

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        lengths = float(np.sqrt(statistics["g.g"]) * np.sqrt(statistics["u.u"]))
        cosine = float(statistics["g.u"]) / lengths if lengths else 0.0
        factor = float(memory.get("factor", 1.0)) * (1 + self.beta * cosine)
        factor = min(max(factor, self.low), self.high)
        return statistics.rate * factor, {"factor": factor}


@rule("hypergradient_adam", family="hypergradient", peak=Peak(1e-3, 1e-5, 0.1), source=_HD)
@dataclass(frozen=True, slots=True)
class HypergradientAdam(HypergradientSGD):
    """Adam with a rate times a factor that grows while the gradient agrees with its last step.

    The formulas are those of `HypergradientSGD` with Adam's direction
    ``d = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)``. Its momentum makes successive
    directions agree whatever the rate, so the factor turns back later than with plain steps.

    Args:
        beta: Change of the factor in a step, at most.
        low: Smallest factor.
        high: Largest factor.
        beta1: Of the mean of the gradients.
        beta2: Of the mean of their squares.
        eps: Against division by 0.

    >>> turned = {"g.g": 4.0, "g.u": -6.0, "u.u": 9.0}
    >>> step, _ = HypergradientAdam(beta=0.1).step(Statistics(1, 0.1, 0.0, turned), {})
    >>> round(float(step), 6)
    0.09
    """

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Positive = 1e-8
    direction: ClassVar = "adam"
