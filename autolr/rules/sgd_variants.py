"""SGD with momentum, its steps rescaled."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule
from autolr.settings import Beta, Integer


@rule(
    "normalized_sgd",
    family="direction",
    peak=Peak(0.1, 1e-3, 10.0),
    source="Cutkosky & Mehta 2020, arXiv:2002.03305",
)
@dataclass(frozen=True, slots=True)
class NormalizedSGD(Rule):
    """SGD with momentum whose steps are as long as the rate, whatever the gradient.

        m <- beta m + (1 - beta) g
        step = rate / |m|  along m

    The length is that of all weights together. Near the solution it does not fall by itself: it
    needs a schedule that does. ``beta = 0`` is normalized gradient descent.

    Args:
        beta: Momentum.

    >>> long = Statistics(step=0, rate=0.1, loss=0.0, products={"d.d": 16.0})
    >>> NormalizedSGD().step(long, {})[0]
    0.025
    """

    beta: Beta = 0.9
    bias_correction: ClassVar = True  # so that m counts from 0; its scale is without effect
    needs: ClassVar = ("d.d",)
    direction: ClassVar = "average"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        length = math.sqrt(float(statistics["d.d"]))
        return statistics.rate / length if length else 0.0, memory


@rule(
    "random_scaling",
    family="direction",
    peak=Peak(0.01, 1e-4, 1.0),
    source="Zhang & Cutkosky 2024, arXiv:2405.09742",
)
@dataclass(frozen=True, slots=True)
class RandomScaling(Rule):
    """SGD with momentum, each step times a random number of mean 1.

        m <- beta m + g
        step = rate s  along m,  s from the exponential distribution

    The random numbers are those of the seed and the step alone: equal on all ranks, in a resumed
    run, and apart from the run's own generators.

    Args:
        beta: Momentum.
        seed: Of the random numbers.

    >>> quiet = Statistics(step=3, rate=0.1, loss=0.0, products={})
    >>> RandomScaling().step(quiet, {}) == RandomScaling().step(quiet, {})
    True
    """

    beta: Beta = 0.9
    seed: Annotated[int, Integer(0)] = 0
    direction: ClassVar = "momentum"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        scale = np.random.default_rng([self.seed, statistics.step]).exponential()
        return statistics.rate * scale, memory
