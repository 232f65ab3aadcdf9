"""Steps from the curvature along the last step."""

import math
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule
from autolr.settings import Positive


@rule(
    "adgd",
    family="curvature",
    peak=Peak.fixed(),
    schedules=("constant",),
    source="Malitsky & Mishchenko 2020, arXiv:1910.09529",
)
@dataclass(frozen=True, slots=True)
class AdGD(Rule):
    """Gradient descent without the descent: half the inverse of the curvature just met.

        step' = min(sqrt(1 + step / step_before) step, |s| / (2 |y|))

    times the rate. The second step has the curvature alone. It converges on convex losses
    without a constant to know, and needs neither loss nor trials. For whole batches: the
    noise of small ones counts as curvature, which shrinks the steps to nothing.

    Args:
        first: First step; a small one costs little, it is forgotten at once.

    >>> met = Statistics(step=1, rate=1.0, loss=0.0, products={"s.s": 1.0, "y.y": 16.0})
    >>> AdGD().step(met, {"step": 1e-6, "growth": math.inf})[0]
    0.125
    """

    first: Positive = 1e-6
    needs: ClassVar = ("s.s", "y.y")

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        if not memory:
            return statistics.rate * self.first, {"step": self.first, "growth": math.inf}
        last, growth = float(memory["step"]), float(memory["growth"])
        size = min(math.sqrt(1 + growth) * last, _steepest(statistics))
        if math.isinf(size) or not statistics["s.s"]:
            return statistics.rate * last, memory
        return statistics.rate * size, {"step": size, "growth": size / last}


def _steepest(statistics: Statistics) -> float:
    changed = math.sqrt(float(statistics["y.y"]))
    return math.sqrt(float(statistics["s.s"])) / (2 * changed) if changed else math.inf
