"""Line searches: a step is tried, and taken if it lowers the loss of its batch enough."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from typing_extensions import override

from autolr.rules.base import LineSearch, Memory, Statistics, Trials
from autolr.rules.catalogue import Peak, rule
from autolr.settings import Count, Positive, Real

_SLS = "Vaswani et al. 2019, arXiv:1905.09997"
_CAP = Peak.fixed(10.0)
_FLAT = 1e-8  # norm of the gradient below which rounding decides whether the loss falls
_LAST_RESORT = 1e-6  # step if no trial was good enough, as in the authors' code

Part = Annotated[float, Real(0, 1, open="both")]
Half = Annotated[float, Real(0, 0.5, open="both")]
Growth = Annotated[float, Real(1)]


@rule("armijo", family="search", peak=_CAP, schedules=("constant",), source=_SLS)
@dataclass(frozen=True, slots=True)
class Armijo(LineSearch):
    """Stochastic line search: the first step that lowers the loss of its batch enough.

    Tried are ``min(rate, last step x grow^(1/epoch))`` and from there on ``shrink`` times as
    much, until

        f(x - step w) <= f - c step <g, w>

    The rate is the longest step. Each trial costs an evaluation of the batch; a step needs
    about 1 + 7 / epoch of them. Good where the model can fit every batch; under much noise of
    labels or gradients each batch is fitted too well, and the steps have to be capped.

    Args:
        c: Share of the decrease that the gradient promises.
        shrink: Ratio of a trial to the one before.
        grow: What the first trial may grow by in an epoch.
        epoch: Steps of an epoch.
        first: First trial of the first step.
        tries: After as many the step is 1e-6.

    >>> search = Armijo(shrink=0.5, grow=1.0).trials(
    ...     Statistics(step=0, rate=10.0, loss=1.0, products={"g.w": 1.0}), {}
    ... )
    >>> next(search), search.send(1.5), search.send(1.2)
    (1.0, 0.5, 0.25)
    """

    c: Part = 0.1
    shrink: Part = 0.9
    grow: Growth = 2.0
    epoch: Count = 500
    first: Positive = 1.0
    tries: Count = 100
    needs: ClassVar = ("loss", "g.w")

    @override
    def trials(self, statistics: Statistics, memory: Memory) -> Trials:
        rate, loss, slope = statistics.rate, statistics.loss, float(statistics["g.w"])
        wished = _wished(self, memory)
        size = min(wished, rate)
        if not _searchable(loss, slope, rate):
            return 0.0, {"step": wished}
        for _ in range(self.tries):
            tried = yield size
            if tried <= loss - self.c * size * slope:
                return size, {"step": wished if size == rate else size}
            size *= self.shrink
        return min(_LAST_RESORT, rate), {"step": size}


@rule("goldstein", family="search", peak=_CAP, schedules=("constant",), source=_SLS)
@dataclass(frozen=True, slots=True)
class Goldstein(LineSearch):
    """Stochastic line search for a step that is neither too long nor too short.

    A trial that lowers the loss too little is followed by one ``shrink`` times as long, one
    that lowers it nearly as much as the gradient promises by one ``stretch`` times as long,
    until

        f - (1 - c) step <g, w> <= f(x - step w) <= f - c step <g, w>

    or the step has the length of the rate, the longest one. It needs about twice the trials of
    `Armijo` and finds long steps within one search, where Armijo takes epochs.

    Args:
        c: Share of the decrease that the gradient promises; below 1/2.
        shrink: Ratio of a trial to one that was too long.
        stretch: Ratio of a trial to one that was too short.
        grow: What the first trial may grow by in an epoch.
        epoch: Steps of an epoch.
        first: First trial of the first step.
        tries: After as many the step is the longest that lowered the loss enough, or 1e-6.

    >>> search = Goldstein(grow=1.0).trials(
    ...     Statistics(step=0, rate=10.0, loss=1.0, products={"g.w": 1.0}), {}
    ... )
    >>> next(search), search.send(0.05), search.send(0.9)
    (1.0, 2.0, 1.8)
    """

    c: Half = 0.1
    shrink: Part = 0.9
    stretch: Growth = 2.0
    grow: Growth = 2.0
    epoch: Count = 500
    first: Positive = 1.0
    tries: Count = 100
    needs: ClassVar = ("loss", "g.w")

    @override
    def trials(self, statistics: Statistics, memory: Memory) -> Trials:
        rate, loss, slope = statistics.rate, statistics.loss, float(statistics["g.w"])
        wished = _wished(self, memory)
        size, good = min(wished, rate), 0.0
        if not _searchable(loss, slope, rate):
            return 0.0, {"step": wished}
        for _ in range(self.tries):
            tried = yield size
            if tried <= loss - self.c * size * slope:
                if tried >= loss - (1 - self.c) * size * slope:
                    return size, {"step": size}
                if size == rate:
                    return size, {"step": max(size, wished)}
                good = max(good, size)
                size = min(size * self.stretch, rate)
            else:
                size *= self.shrink
        return good or min(_LAST_RESORT, rate), {"step": good or size}


def _wished(rule: "Armijo | Goldstein", memory: Memory) -> float:
    """Return the first trial, but for the cap: the last step, grown by one step's share."""
    last = float(memory["step"]) if memory else rule.first
    return float(last * rule.grow ** (1 / rule.epoch))


def _searchable(loss: float, slope: float, rate: float) -> bool:
    return math.isfinite(loss) and slope >= _FLAT**2 and rate > 0
