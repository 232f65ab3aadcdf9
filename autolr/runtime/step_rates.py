"""The rates with which an optimizer steps, whatever its closure writes."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autolr.runtime.applied_rate import AppliedRate, nearer
from autolr.runtime.compiled import beside

_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class StepRates:
    """Has the rates of an optimizer applied up to the moment in which it moves the weights.

    A Trainer runs ``training_step``, ``on_before_optimizer_step`` and gradient clipping within the
    closure of the step; each may write a rate. So the rates are applied before the closure, for
    who reads them, and once more after it. While the weights move the groups hold plain numbers.

    Args:
        optimizer: The optimizer.
        apply: Applies the rates to whatever stands in the groups of an optimizer, after `reset`,
            and returns whose turn it is to step with them.

    Attributes:
        optimizer: The optimizer.
        used: The rates of the groups in the last step.
        turn: In whose turn that was; -1 before the first.
        written: The rate that the optimizer itself set within its first step; None: it set none.
        handles: Of the hooks.
    """

    def __init__(self, optimizer: Optimizer, apply: Callable[[Optimizer], int]) -> None:
        self.optimizer = optimizer
        self.used: list[Any] = []
        self.turn = self._due = -1
        self.written: float | None = None
        self._apply = apply
        self._held: list[tuple[dict[str, Any], Any, Any]] = []  # a group, its rate, what stood
        self._stepped = False
        self._within = 0  # steps of the optimizer's base class that are under way in its own
        self.handles = [
            optimizer.register_step_pre_hook(beside(optimizer, self._before)),
            optimizer.register_step_post_hook(beside(optimizer, self._after)),
        ]

    def detach(self) -> None:
        """Put back what stood in the groups, and remove the hooks."""
        self.reset()
        for handle in self.handles:
            handle.remove()

    def reset(self) -> None:
        """Put back what stood in the groups, after a step that raised or one within another."""
        for group, rate, stood in self._held:
            if group["lr"] is rate:
                group["lr"] = stood
        self._held = []

    def _before(self, _: Optimizer, args: Any, kwargs: dict[str, Any]) -> _Arguments | None:
        if self._held:  # the class calls that of its base: what it has set in between is its own
            self._within += 1
            return None
        self._within = 0
        self._write()
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._closing(kwargs["closure"])}
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._closing(args[1]), *args[2:]), kwargs
        self._hold()
        return None

    def _closing(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        begin, end = beside(self.optimizer, self.reset), beside(self.optimizer, self._evaluated)

        def closed() -> Any:
            begin()  # a line search evaluates it again
            loss = closure()
            end()
            return loss

        return closed

    def _evaluated(self) -> None:
        self._write()
        self._hold()

    def _write(self) -> None:
        self.reset()
        self._due = self._apply(self.optimizer)

    def _hold(self) -> None:
        """Put plain numbers in the place of the rates."""
        self._held, self.turn = [], self._due
        for group in self.optimizer.param_groups:
            stood = group["lr"]
            if not isinstance(stood, Tensor):
                group["lr"] = float(stood)
            self._held.append((group, group["lr"], stood))
        self.used = [
            rate.clone() if isinstance(rate, Tensor) else rate for _, rate, _ in self._held
        ]

    def _after(self, *_: Any) -> None:
        if self._within:
            self._within -= 1
            return
        if not self._held:  # the end of a step within which another one ended
            return
        for group, rate, stood in self._held:
            if group["lr"] is not rate and isinstance(stood, AppliedRate):
                group["lr"] = self._own(float(group["lr"]), stood)
        self.reset()
        self._stepped = True

    def _own(self, rate: float, stood: AppliedRate) -> float:
        """Return the rate to stand in a group after a step in which the optimizer has set one.

        Later it may be adapting the rate that is applied. In its first step it sets its own: of the
        two it is the one that differs less from what stood there.

        Args:
            rate: What it has set.
            stood: What was applied.
        """
        derived = AppliedRate.derived(rate, stood.factor)
        if self._stepped:
            return derived
        self.written = rate
        return derived if nearer(derived.own, rate, stood.own) else rate
