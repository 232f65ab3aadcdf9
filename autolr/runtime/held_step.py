"""A whole training step of the user's, made without moving a weight."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.structure import parameters_of

if TYPE_CHECKING:
    from torch import Tensor


class HeldStep:
    """What takes the place of the ``step`` of one optimizer, or of several.

    Attributes:
        made: Whether a step was called.
    """

    def __init__(self) -> None:
        self.made = False
        self._gradients: dict[Tensor, Tensor | None] = {}  # copies of those that would be used

    def of(self, optimizer: Optimizer) -> Callable[..., Any]:
        """Return what to call in the place of the ``step`` of one optimizer."""

        def step(closure: Callable[[], Any] | None = None, **_: object) -> Any:
            loss = None if closure is None else closure()
            self.made = True
            for parameter in parameters_of(optimizer):
                gradient = parameter.grad
                self._gradients[parameter] = None if gradient is None else gradient.clone()
            return loss

        return step

    def put_back(self) -> None:
        """Put the gradients in place, which the user's code may have zeroed since."""
        for parameter, gradient in self._gradients.items():
            parameter.grad = gradient


@contextmanager
def holding_step(optimizer: Optimizer) -> Iterator[HeldStep]:
    """Have a `HeldStep` in the place of ``optimizer.step`` for a block.

    Args:
        optimizer: The optimizer that really steps, no wrapper of it; of several each one.
    """
    held, parts = HeldStep(), parts_of(optimizer)
    present = [vars(part).get("step") for part in parts]  # a scheduler has put one there
    for part in parts:
        vars(part)["step"] = held.of(part)
    try:
        yield held
    finally:
        for part, step in zip(parts, present, strict=True):
            if step is None:
                del vars(part)["step"]
            else:
                vars(part)["step"] = step
