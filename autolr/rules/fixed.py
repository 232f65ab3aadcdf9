"""The rule that does not change the rate."""

from dataclasses import dataclass

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule

OWN = "fixed"
"""The name of the optimizer itself, in a run that chooses among rules."""


@rule(OWN, "fixed", Peak(0.1, 1e-4, 10.0), source="Robbins & Monro 1951")
@dataclass(frozen=True, slots=True)
class Fixed(Rule):
    """Peak x schedule, and nothing else.

        step = rate

    >>> Fixed().step(Statistics(step=0, rate=0.1, loss=2.0, products={}), {})
    (0.1, {})
    """

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return statistics.rate, memory
