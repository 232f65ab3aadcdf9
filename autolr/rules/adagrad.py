"""Steps over the length of all gradients so far."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.settings import Positive


@rule(
    "adagrad_norm",
    family="adagrad",
    peak=Peak(1.0, 1e-2, 1e2),
    schedules=SELF_DECAYING,
    source="Ward, Wu & Bottou 2019, arXiv:1806.01811",
)
@dataclass(frozen=True, slots=True)
class AdaGradNorm(Rule):
    """One AdaGrad step for all weights: the rate over the length of all gradients so far.

        step = rate / sqrt(b0^2 + sum |g|^2)

    The sum has the present gradient. It converges whatever the rate; how fast depends on the
    rate, best about the distance to the solution. It falls with 1 / sqrt(steps) by itself and
    never recovers from early gradients that are far longer than the later ones.

    Args:
        b0: Bounds the first step; without effect once the gradients are longer.

    >>> AdaGradNorm(b0=3.0).step(Statistics(0, rate=1.0, loss=0.0, products={"g.g": 16.0}), {})
    (0.2, {'gradients': 25.0})
    """

    b0: Positive = 1e-2
    needs: ClassVar = ("g.g",)

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        before = float(memory["gradients"]) if memory else self.b0**2
        gradients = before + float(statistics["g.g"])
        return statistics.rate / float(np.sqrt(gradients)), {"gradients": gradients}
