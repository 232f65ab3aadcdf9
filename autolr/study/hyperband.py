"""Hyperband: the steps at which trials are judged, and which of them are promoted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from autolr.errors import ConfigError

_FIRST_TURNS = 64  # brackets computed at first, enough for most studies; doubled as needed


class Bracket(NamedTuple):
    """One row of `Hyperband.table`; ``share`` is the fraction of all trials."""

    number: int
    rungs: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Several successive halvings side by side, from the most aggressive to none at all.

    Bracket 0 judges first at about ``min_steps`` and then at each multiple by ``eta``; each further
    bracket drops the lowest rung; the last one never judges. The rungs are ``max_steps / eta^k``,
    rounded down: counted from the end of the run, as in the paper.

    Args:
        min_steps: No trial is judged before this many optimizer steps.
        max_steps: Steps of a whole run. Less than ``eta * min_steps`` leaves a
            single bracket that never judges.
        eta: One in ``eta`` trials is promoted at a rung.

    Raises:
        ConfigError: If ``min_steps`` < 1, ``max_steps`` < ``min_steps`` or ``eta`` < 2.

    Source: Li et al. 2018 (Hyperband), algorithm 1, arXiv:1603.06560.

    >>> Hyperband(min_steps=1, max_steps=243, eta=3).brackets
    6
    >>> Hyperband(min_steps=100, max_steps=1000).rungs(0)
    (111, 333)
    """

    min_steps: int
    max_steps: int
    eta: int = 3

    def __post_init__(self) -> None:
        if self.min_steps < 1:
            raise ConfigError.of("min_steps", self.min_steps, "at least 1")
        if self.max_steps < self.min_steps:
            raise ConfigError.of("max_steps", self.max_steps, f"at least {self.min_steps}")
        if self.eta < 2:
            raise ConfigError.of("eta", self.eta, "at least 2")

    @property
    def brackets(self) -> int:
        """The number of brackets, s_max + 1 in the paper; integers only, as logarithms round."""
        count, steps = 1, self.min_steps * self.eta
        while steps <= self.max_steps:
            count, steps = count + 1, steps * self.eta
        return count

    def rungs(self, bracket: int) -> tuple[int, ...]:
        """Return the steps, rising and below ``max_steps``, at which a trial is judged.

        Raises:
            ConfigError: If there is no such bracket.
        """
        last = self.brackets - 1
        if not 0 <= bracket <= last:
            raise ConfigError.of("bracket", bracket, f"within [0, {last}]")
        return tuple(self.max_steps // self.eta**k for k in range(last - bracket, 0, -1))

    def bracket_of(self, number: int) -> int:
        """Return the bracket of trial ``number``, which alone decides it.

        The brackets take turns, evenly mixed, in the paper's proportions
        n_s = ceil((s_max + 1) eta^s / (s + 1)), so that all brackets cost about the same.
        """
        shares = self._shares()
        turn = number % sum(shares)
        count = _FIRST_TURNS
        while count <= turn:
            count *= 2
        return _turns(shares, count)[turn]

    def promotes(self, score: float, peers: Sequence[float]) -> bool:
        """Return whether a trial is promoted from a rung; lower scores are better.

        It is if its score is among the best floor(n / eta) of the n scores seen there so far, its
        own included; while n < eta, if it is the best so far, so the first trial is promoted.
        Trials with equal scores are promoted together. A score that is not finite is never
        promoted; among the peers it counts as the worst.

        As in the paper, a trial that is not promoted is paused by default, and may be promoted
        later when it is among the best; with ``pause: false`` it is pruned. The rule for n < eta,
        which is not the paper's, keeps the first trials from all stopping. No trial waits for
        another.

        Args:
            score: The trial's own score at the rung.
            peers: The other trials' scores at that rung, in any order.

        Source: Li et al. 2020 (ASHA), algorithm 2, arXiv:1810.05934.
        """
        if not math.isfinite(score):
            return False
        better = sum(peer < score for peer in peers if math.isfinite(peer))
        return self.promotes_behind(better, len(peers) + 1)

    def promotes_behind(self, better: int, seen: int) -> bool:
        """Return as `promotes`, for a trial with a finite score.

        Args:
            better: How many trials have a better score at the rung.
            seen: How many have a score there, its own included.
        """
        return better < max(1, seen // self.eta)

    def table(self) -> list[Bracket]:
        """Return the brackets, most aggressive first, as rows to print."""
        shares = self._shares()
        total = sum(shares)
        return [Bracket(i, self.rungs(i), n / total) for i, n in enumerate(shares)]

    def _shares(self) -> tuple[int, ...]:
        """Return n_s of each bracket; s counts its rungs."""
        n = self.brackets
        return tuple(-(-n * self.eta**s // (s + 1)) for s in range(n - 1, -1, -1))


@lru_cache(maxsize=32)
def _turns(shares: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the first ``count`` turns of a smooth weighted round robin.

    Each turn, the credit of every bracket grows by its share; the bracket with the highest credit
    takes the turn and pays the total.
    """
    total = sum(shares)
    credit = [0] * len(shares)
    turns = []
    for _ in range(min(count, total)):
        credit = [have + share for have, share in zip(credit, shares, strict=True)]
        bracket = credit.index(max(credit))
        credit[bracket] -= total
        turns.append(bracket)
    return tuple(turns)
