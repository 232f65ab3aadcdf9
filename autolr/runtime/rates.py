"""The rates of an optimizer: applied around its step, as factors that leave no trace."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer

from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.rules.switching import Switching


class Rates:
    """Multiplies the rates of an optimizer while it steps, and puts them back after.

    The groups' own rates stay what the user set, so their ratios are kept, checkpoints hold
    no trace of the search, and two users of one optimizer never see each other's rates.

    Args:
        optimizer: Any torch optimizer whose groups have a rate ``lr``.
        base: The rate that a peak stands for at a factor of 1; None: the highest of the groups.

    Attributes:
        factor: The factor of every group's rate at the next step.
        base: The run's own peak: the highest rate of the groups, or what was given.

    Raises:
        ConfigError: If the optimizer has no positive finite rate to multiply.
    """

    _attached: ClassVar["WeakKeyDictionary[Optimizer, Rates]"] = WeakKeyDictionary()

    @classmethod
    def of(cls, optimizer: Optimizer, base: float | None = None) -> "Rates":
        """Return the rates attached to ``optimizer``; they are attached at the first call.

        A base that is given counts for all users of the same optimizer.

        Args:
            optimizer: The optimizer of the run.
            base: See `Rates`; None keeps the present one.
        """
        if optimizer not in cls._attached:
            cls._attached[optimizer] = cls(optimizer, base)
        rates = cls._attached[optimizer]
        if base is not None:
            rates.base = base
        return rates

    def __init__(self, optimizer: Optimizer, base: float | None = None) -> None:
        self.factor = 1.0
        self._optimizer = optimizer
        self._originals: list[tuple[dict[str, Any], Any]] | None = None
        self._applied: list[Any] = []
        own = [float(group.get("lr", math.nan)) for group in optimizer.param_groups]
        self.base = max(own, default=math.nan) if base is None else base
        if not (math.isfinite(self.base) and self.base > 0):
            raise ConfigError.of("the optimizer's lr", self.base, "a positive number")
        optimizer._patch_step_function()  # a wrapper may leave that to its first zero_grad
        self._handles = (
            optimizer.register_step_pre_hook(self._apply),
            optimizer.register_step_post_hook(self._remove),
        )

    def factors_of(
        self, candidate: Candidate, multipliers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the factors of the run's own rates: peak x schedule / own peak.

        Args:
            candidate: With a peak; each rule of a `Switching` has a base of its own.
            multipliers: Of the candidate's schedule, at any steps; shape (steps,).
        """
        assert candidate.peak is not None  # a search fixes every peak
        if isinstance(self._optimizer, Switching):
            return candidate.peak / self._optimizer.bases[candidate.rule] * multipliers
        return candidate.peak / self.base * multipliers

    def factor_of(self, candidate: Candidate, step: int, total_steps: int) -> float:
        """Return the factor of one step of a run, see `factors_of`.

        Args:
            candidate: With a peak.
            step: The step, from 0.
            total_steps: Optimizer steps of the run.
        """
        multiplier = candidate.schedule.at(step, total_steps)
        return float(self.factors_of(candidate, np.array([multiplier]))[0])

    @property
    def applied(self) -> float:
        """The highest rate of the groups in the optimizer's last step; NaN before the first."""
        return max(map(float, self._applied), default=math.nan)

    @contextmanager
    def multiplied(self, factor: float) -> Iterator[None]:
        """Step with another factor inside the block."""
        before, self.factor = self.factor, factor
        try:
            yield
        finally:
            self._remove()
            self.factor = before

    def detach(self) -> None:
        """Remove the hooks, and restore the optimizer's own rates."""
        self._remove()
        for handle in self._handles:
            handle.remove()
        self._attached.pop(self._optimizer, None)

    def _apply(self, *_: Any) -> None:
        self._remove()  # a step that raised never reached its end
        self._originals = [(group, group["lr"]) for group in self._optimizer.param_groups]
        for group in self._optimizer.param_groups:
            group["lr"] = group["lr"] * self.factor
        self._applied = [group["lr"] for group in self._optimizer.param_groups]

    def _remove(self, *_: Any) -> None:
        if self._originals is None:
            return
        for group, rate in self._originals:  # a closure may have added groups, or removed some
            group["lr"] = rate
        self._originals = None
