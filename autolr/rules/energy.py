"""Steps from an energy that every weight spends."""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from autolr.rules.base import Answer, Memory, Rule, Statistics
from autolr.rules.catalogue import Peak, rule
from autolr.settings import Positive


@rule(
    "aegd",
    family="energy",
    peak=Peak(0.1, 1e-2, 1.0),
    schedules=("constant", "linear", "cosine", "wsd"),
    source="Liu & Tian 2020, arXiv:2010.05109",
)
@dataclass(frozen=True, slots=True)
class AEGD(Rule):
    """Adaptive gradient descent with energy: each weight has an energy r that only falls.

        v = g / (2 sqrt(f + c)),  r_0 = sqrt(f_0 + c)
        r = r / (1 + 2 rate v^2)
        x = x - 2 rate r v

    element by element. The energy falls whatever the rate, so no rate makes it diverge; one
    that is too high spends the energy, and the weights come to rest too early. Weight decay is
    decoupled (AEGDW).

    Args:
        c: Makes ``f + c`` positive; the loss must stay above ``-c``.

    >>> AEGD().step(Statistics(step=0, rate=0.1, loss=2.0, products={}), {})
    (0.1, {})
    """

    c: Positive = 1.0
    needs: ClassVar = ("loss",)
    direction: ClassVar = "energy"

    @override
    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        return statistics.rate, memory
