"""The rates of an optimizer: what is applied stands in its groups, the user's own behind it."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from autolr.errors import ConfigError
from autolr.rules.fixed import OWN
from autolr.rules.switching import Switching
from autolr.runtime.applied_rate import (
    AppliedRate,
    apply_rate,
    own_rate,
    restore_own,
    settle,
)
from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.step_rates import StepRates

if TYPE_CHECKING:
    from autolr.candidate import Candidate


class Rates:
    """Multiplies the rates of an optimizer; the products stand in its groups between steps.

    Of several optimizers, see `JointOptimizer`, all rates are multiplied by the same factor.

    All that reads ``group["lr"]`` reads the rate that is applied: loggers, checkpoints, the module.
    The own rate of each group is kept behind it, see `AppliedRate`, so the ratios of the groups
    stay, and what other code writes there becomes the own rate and is multiplied like any other,
    also within the closure of a step. `own_in_place` gives schedulers the own rates.

    Args:
        optimizer: Any torch optimizer whose groups have a rate ``lr``.
        base: The rate that a peak stands for at a factor of 1; None: the highest of the groups.

    Attributes:
        optimizer: The optimizer.
        base: The run's own peak: the highest rate of the groups, or what was given.
        written: The first own rate that other code replaced, and what it wrote; None so far.

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
        self.written: tuple[float, float] | None = None
        self._factor = 1.0
        self.optimizer = optimizer
        self._known: dict[int, Any] = {}  # own rates as last written here, by the group's identity
        self._beside = False  # whether a rival is in place, whose rates are put back
        own = [
            float(own_rate(group)) if "lr" in group else math.nan
            for group in optimizer.param_groups
        ]
        self.base = max(own, default=math.nan) if base is None else base
        if not (math.isfinite(self.base) and self.base > 0):
            raise ConfigError.of("the optimizer's lr", self.base, "a positive number")
        self._turn = 0  # of the live run, or of a rival
        self._steps = [self._hooked(part) for part in parts_of(optimizer)]

    @property
    def factor(self) -> float:
        """The factor of every group's own rate; a new one is applied at once."""
        return self._factor

    @factor.setter
    def factor(self, factor: float) -> None:
        self._factor = factor
        self._turn += 1
        self._write()

    def factors_of(
        self, candidate: "Candidate", multipliers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the factors of the run's own rates: peak x schedule / own peak.

        Args:
            candidate: With a peak; each rule of a `Switching` has a base of its own.
            multipliers: Of the candidate's schedule, at any steps; shape (steps,).
        """
        assert candidate.peak is not None  # a search fixes every peak
        if isinstance(self.optimizer, Switching):
            return candidate.peak / self.optimizer.bases[candidate.rule] * multipliers
        return candidate.peak / self.base * multipliers

    def factor_of(self, candidate: "Candidate", step: int, total_steps: int) -> float:
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
        """The highest rate of the groups in the optimizer's last step; NaN before the first.

        Of several optimizers those count that have stepped in the same turn.
        """
        last = max(step.turn for step in self._steps)
        used = [rate for step in self._steps if step.turn == last for rate in step.used]
        return max(map(float, used), default=math.nan)

    @property
    def set_by_step(self) -> float | None:
        """The rate that the optimizer itself set within its first step; None: it set none."""
        return next((s.written for s in self._steps if s.written is not None), None)

    @property
    def own_peak(self) -> float:
        """The rate of the run without rates of ours: every factor is 1 at it."""
        optimizer = self.optimizer
        return optimizer.bases[OWN] if isinstance(optimizer, Switching) else self.base

    @property
    def pairs(self) -> list[list[float]]:
        """The own and the applied rate of each group, for `resume`."""
        groups = self.optimizer.param_groups
        return [[float(own_rate(group)), float(group["lr"])] for group in groups]

    @contextmanager
    def multiplied(self, factor: float) -> Iterator[None]:
        """Step with another factor inside the block, as a rival does."""
        before = self._factor
        with self.beside(self.optimizer):
            try:
                self.factor = factor
                yield
            finally:
                self.factor = before

    @classmethod
    @contextmanager
    def beside(cls, optimizer: Optimizer) -> Iterator[None]:
        """Have what is written into the groups in a block not count: it will be put back.

        Args:
            optimizer: The optimizer; its rates need not be attached.
        """
        rates = cls._attached.get(optimizer)
        before = rates is None or rates._beside
        if rates is not None:
            rates._beside = True
        try:
            yield
        finally:
            if rates is not None:
                rates._beside = before

    @contextmanager
    def own_in_place(self) -> Iterator[None]:
        """Have the own rates stand in the groups for a block; what it writes is an own rate."""
        self._write()
        for group in self.optimizer.param_groups:
            restore_own(group)
        try:
            yield
        finally:
            self._known.clear()  # a scheduler may change them
            self._write()

    def hand_over(self) -> None:
        """Make the rates that are applied the own ones, with a factor of 1."""
        for group in self.optimizer.param_groups:
            settle(group)
        self._known.clear()
        self.factor = 1.0

    def detach(self, *, keep: bool = False) -> None:
        """Remove the hooks, and restore the optimizer's own rates.

        Args:
            keep: Whether the rates that are applied stay instead, as plain numbers.
        """
        for step in self._steps:
            step.detach()
        for group in self.optimizer.param_groups:
            (settle if keep else restore_own)(group)
        self._attached.pop(self.optimizer, None)

    def _hooked(self, part: Optimizer) -> StepRates:
        part._patch_step_function()  # a wrapper may leave that to its first zero_grad
        step = StepRates(part, self._apply)
        if hasattr(part, "_optimizer_state_dict_post_hooks"):  # not where a wrapper skips init
            step.handles.append(part.register_state_dict_post_hook(_without_own))
        return step

    def _write(self) -> None:
        for step in self._steps:
            step.reset()
            self._apply(step.optimizer)

    def _apply(self, part: Optimizer) -> int:
        """Apply the rates of one optimizer; return whose turn it is to step with them."""
        for group in part.param_groups:
            own = own_rate(group)
            if not self._beside:
                self._note(group, own)
            apply_rate(group, own, self._factor)
        return self._turn

    def _note(self, group: Mapping[str, Any], own: Any) -> None:
        """Remember an own rate, and the first one that other code has changed."""
        known = self._known.get(id(group), own)
        self._known[id(group)] = own
        if self.written is None and own is not known and float(own) != float(known):
            self.written = float(known), float(own)


def resume(optimizer: Optimizer, pairs: list[list[float]]) -> None:
    """Restore the own rates of an optimizer that was loaded with the applied ones.

    A rate that is not the one of the checkpoint was written by other code since: it is an own one.

    Args:
        optimizer: The optimizer; groups beyond those of the checkpoint keep their rates.
        pairs: See `Rates.pairs`.
    """
    for group, (own, applied) in zip(optimizer.param_groups, pairs, strict=False):
        rate = group["lr"]
        if float(rate) != applied:
            continue
        if isinstance(rate, Tensor):
            rate.fill_(own)
        else:
            group["lr"] = own


def plain_rates(optimizer: Optimizer) -> list[Any]:
    """Return the rates that stand in the groups as plain numbers, and copies of tensors."""
    standing = [group["lr"] for group in optimizer.param_groups]
    return [rate.clone() if isinstance(rate, Tensor) else float(rate) for rate in standing]


def make_plain(stored: Any) -> None:
    """Make the applied rates in nested dicts and lists plain numbers, in place."""
    if not isinstance(stored, dict | list):
        return
    for key, value in stored.items() if isinstance(stored, dict) else enumerate(stored):
        if isinstance(value, AppliedRate):
            stored[key] = float(value)
        else:
            make_plain(value)


def _without_own(_: Optimizer, state: dict[str, Any]) -> None:
    """Store what is applied: a checkpoint is read without this package too."""
    make_plain(state["param_groups"])
