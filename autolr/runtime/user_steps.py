"""How a function of the user's becomes a training step: it is the forward pass, or all of it."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from autolr.errors import ConfigError
from autolr.runtime.returned_values import checked_loss, one_number
from autolr.runtime.wrapped import Wrapped

Function = Callable[[], Any]


class UserSteps(Protocol):
    """Makes training steps of functions."""

    @property
    def only_forward(self) -> bool:
        """Whether the functions make the forward pass alone."""

    def make(self, function: Function) -> Tensor:
        """Make a step on the state in place; return the loss."""

    def gradients(self, function: Function) -> Tensor:
        """Compute the gradients of a step, which is not made; return the loss."""

    def loss(self, function: Function) -> float:
        """Return the loss; weights, gradients and the optimizer are left as they are."""


class ForwardSteps:
    """Steps of functions that make the forward pass alone.

    Args:
        wrapped: The model and the optimizer.
        backward: Called with the loss in the place of ``loss.backward()``, if given.
        scaler: A `torch.amp.GradScaler` of the user's.
    """

    only_forward: ClassVar[bool] = True

    def __init__(
        self,
        wrapped: Wrapped,
        backward: Callable[[Tensor], object] | None,
        scaler: Any,
    ) -> None:
        self._optimizer: Any = wrapped.given_optimizer  # wrappers have methods of their own kind
        self._scaler = scaler
        self._zeroes_after = wrapped.by_accelerate
        self._apart = wrapped.by_accelerate or bool(wrapped.scalers) or scaler is not None
        self._lacks_backward = wrapped.needs_backward and backward is None
        self._known = False  # whether a closure has been seen to leave the gradients alone
        self._backward = _backward(scaler) if backward is None else backward

    def make(self, function: Function) -> Tensor:
        """Make a step; see `UserSteps`."""
        if self._apart:
            return self._made_apart(function)
        losses: list[Tensor] = []

        def closure() -> Tensor:
            losses.append(self.gradients(function))
            return losses[-1]

        self._optimizer.step(closure)
        return losses[0].detach()

    def gradients(self, function: Function) -> Tensor:
        """Compute gradients; see `UserSteps`."""
        self._optimizer.zero_grad(set_to_none=True)
        return self._passes(function, cleared=True)

    def loss(self, function: Function) -> float:
        """Return the loss; see `UserSteps`."""
        with torch.no_grad():
            return float(one_number(function(), "the closure"))

    def _made_apart(self, function: Function) -> Tensor:
        """Make a step with an optimizer that takes no closure, or only steps now and then."""
        loss = (
            self._passes(function, cleared=False)
            if self._zeroes_after
            else self.gradients(function)
        )
        if self._scaler is None:
            self._optimizer.step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()
        if self._zeroes_after:
            self._optimizer.zero_grad()
        return loss.detach()

    def _passes(self, function: Function, *, cleared: bool) -> Tensor:
        if self._lacks_backward:
            raise ConfigError(
                "backward must be that of Fabric or Accelerate, which scales the loss: "
                "Tuner(..., backward=accelerator.backward), got None"
            )
        loss = checked_loss(function(), "the closure")
        if cleared and not self._known:
            self._check_forward_alone()
        self._backward(loss)
        return loss

    def _check_forward_alone(self) -> None:
        """Refuse a closure as torch's optimizers take it: its gradients would count twice."""
        groups = self._optimizer.param_groups
        gradients = (each.grad for group in groups for each in group["params"])
        if any(gradient is not None and gradient.any() for gradient in gradients):
            raise ConfigError(
                "the closure must make the forward pass and return the loss, and it has called "
                "backward(): leave that to Tuner.step, or give the whole step to Tuner.repeat"
            )
        self._known = True


def _backward(scaler: Any) -> Callable[[Tensor], object]:
    """Return the usual backward pass, of a scaled loss where there is a scaler."""

    def backward(loss: Tensor) -> None:
        (loss if scaler is None else scaler.scale(loss)).backward()

    return backward
