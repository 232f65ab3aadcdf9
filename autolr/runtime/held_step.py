"""A whole training step of the user's, made without moving a weight."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from autolr.runtime.structure import parameters_of

if TYPE_CHECKING:
    from torch import Tensor


class HeldStep:
    """Takes the place of an optimizer's ``step``.

    Args:
        optimizer: The optimizer.

    Attributes:
        made: Whether the step was called.
        gradients: A copy of those that it would have used.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.made = False
        self.gradients: list[tuple[Tensor, Tensor | None]] = []
        self._optimizer = optimizer

    def __call__(self, closure: Callable[[], Any] | None = None, **_: object) -> Any:
        """Note the gradients; return the loss of a closure, if there is one."""
        loss = None if closure is None else closure()
        self.made = True
        self.gradients = [
            (parameter, None if parameter.grad is None else parameter.grad.clone())
            for parameter in parameters_of(self._optimizer)
        ]
        return loss

    def put_back(self) -> None:
        """Put the gradients in place, which the user's code may have zeroed since."""
        for parameter, gradient in self.gradients:
            parameter.grad = gradient


@contextmanager
def holding_step(optimizer: Optimizer) -> Iterator[HeldStep]:
    """Have a `HeldStep` in the place of ``optimizer.step`` for a block.

    Args:
        optimizer: The optimizer that really steps, no wrapper of it.
    """
    present = vars(optimizer).get("step")  # a scheduler has put one there
    held = HeldStep(optimizer)
    vars(optimizer)["step"] = held
    try:
        yield held
    finally:
        if present is None:
            del vars(optimizer)["step"]
        else:
            vars(optimizer)["step"] = present
