"""Steps from the distance to the start: no rate is needed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule
from autolr.settings import NotNegative, Positive

_DOG = "Ivgi et al. 2023, arXiv:2302.12022"


@rule("dog", family="distance", peak=Peak.fixed(), schedules=("constant",), source=_DOG)
@dataclass(frozen=True, slots=True)
class DoG(Rule):
    """Distance over gradients: the farthest from the start over the length of all gradients.

        r = max(r, |x - x0|),  r_0 = alpha (1 + |x0|)
        G = G + |g|^2
        step = rate r / sqrt(G + eps)

    The polynomial-decay average of the weights is what is evaluated.

    Args:
        alpha: First move, relative to the weights; 1e-4 is customary with batch norm, and runs
            of some hundred steps need 1e-4 to 1e-2.
        eps: Against division by 0.

    >>> first = {"g.g": 4.0, "r.r": 0.0, "x.x": 9.0}
    >>> step, memory = DoG(alpha=0.5).step(Statistics(0, rate=1.0, loss=0.0, products=first), {})
    >>> round(float(step), 6), float(memory["reach"])
    (1.0, 2.0)
    """

    alpha: Positive = 1e-6
    eps: NotNegative = 1e-8
    needs: ClassVar = ("g.g", "r.r")
    begins_with: ClassVar = ("x.x",)
    averaging: ClassVar = 8.0

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        if not memory:
            least = self.alpha * (1 + np.sqrt(statistics["x.x"]))
            memory = {"reach": least, "gradients": 0.0}
        reach = np.maximum(memory["reach"], np.sqrt(statistics["r.r"]))
        gradients = memory["gradients"] + statistics["g.g"]
        size = statistics.rate * reach / np.sqrt(gradients + self.eps)
        return size, {"reach": reach, "gradients": gradients}


@rule("ldog", family="distance", peak=Peak.fixed(), schedules=("constant",), source=_DOG)
@dataclass(frozen=True, slots=True)
class LDoG(DoG):
    """Distance over gradients, each tensor by itself.

    The formulas are those of `DoG`, with the norms of one tensor.

    >>> two = {"g.g": np.array([4.0, 16.0]), "r.r": np.zeros(2), "x.x": np.array([9.0, 0.0])}
    >>> step, _ = LDoG(alpha=0.5).step(Statistics(step=0, rate=1.0, loss=0.0, products=two), {})
    >>> step.round(6).tolist()
    [1.0, 0.125]
    """

    per_tensor: ClassVar = True


@rule(
    "dowg",
    family="distance",
    peak=Peak.fixed(),
    schedules=("constant",),
    source="Khaled, Mishchenko & Jin 2023, arXiv:2305.16284",
)
@dataclass(frozen=True, slots=True)
class DoWG(Rule):
    """Distance over weighted gradients: a gradient counts as the distance that it was met at.

        r2 = max(r2, |x - x0|^2),  r2_0 = eps
        G = G + r2 |g|^2
        step = rate r2 / (sqrt(G) + eps)

    The steps grow faster than those of `DoG` and reach the edge of stability. The last weights
    are evaluated, as in the authors' code; their theorems are about averages.

    Args:
        eps: Square of the first distance, and against division by 0.

    >>> first = {"g.g": 4.0, "r.r": 0.0}
    >>> step, _ = DoWG(eps=1e-4).step(Statistics(0, rate=1.0, loss=0.0, products=first), {})
    >>> round(float(step), 6)
    0.004975
    """

    eps: Positive = 1e-4
    needs: ClassVar = ("g.g", "r.r")

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        reach = max(float(memory.get("reach", self.eps)), float(statistics["r.r"]))
        gradients = float(memory.get("gradients", 0.0)) + reach * float(statistics["g.g"])
        size = statistics.rate * reach / (float(np.sqrt(gradients)) + self.eps)
        return size, {"reach": reach, "gradients": gradients}
