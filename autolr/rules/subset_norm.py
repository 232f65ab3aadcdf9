"""Steps over the length of all gradients of a subset of the weights."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import SELF_DECAYING, Peak, rule
from autolr.settings import Positive


@rule(
    "subset_norm",
    family="adagrad",
    peak=Peak(0.1, 1e-3, 10.0),
    schedules=SELF_DECAYING,
    source="Nguyen & Nguyen 2025, arXiv:2411.07120",
)
@dataclass(frozen=True, slots=True)
class SubsetNorm(Rule):
    """One AdaGrad step for each row of a matrix: the rate over the length of all its gradients.

        step = rate / sqrt(b0^2 + sum |g_row|^2)  for the weights of a row

    The subsets are the rows of matrices, the filters of convolutions, and whole vectors. It lies
    between `AdaGradNorm`, with one subset, and AdaGrad, with one for each weight, and keeps one
    number for a row.

    Args:
        b0: Bounds the first step; without effect once the gradients are longer.

    >>> SubsetNorm().step(Statistics(step=0, rate=0.1, loss=0.0, products={}), {})
    (0.1, {})
    """

    b0: Positive = 1e-2
    direction: ClassVar = "row_scaled"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return statistics.rate, memory
