"""Whether code of the user's has made an optimizer step."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.stateful import Stateful


class StepCount:
    """Sees the steps of an optimizer, and those that a gradient scaler skips.

    A scaler that meets infinite gradients makes no step and lowers its scale. The run counts it as
    one of its steps: the schedule ends where the loop does.

    Args:
        optimizer: The optimizer that really steps, no wrapper of it; a step of several is one of
            any of them.
        extras: What has a state beside it; gradient scalers among them.
    """

    def __init__(self, optimizer: Optimizer, extras: Sequence[Stateful]) -> None:
        self._scalers = [extra for extra in extras if isinstance(extra, torch.amp.GradScaler)]
        self._scales: list[Tensor | None] = []
        self._made = False
        self._handles = [self._watched(part) for part in parts_of(optimizer)]

    def begin(self) -> None:
        """Forget the steps so far."""
        self._made = False
        scales = [scaler._scale for scaler in self._scalers]
        self._scales = [None if scale is None else scale.clone() for scale in scales]

    @property
    def stepped(self) -> bool:
        """Whether there was a step since `begin`."""
        return self._made or any(map(_is_lower, self._scalers, self._scales))

    def remove(self) -> None:
        """Look no longer."""
        for handle in self._handles:
            handle.remove()

    def _watched(self, optimizer: Optimizer) -> RemovableHandle:
        optimizer._patch_step_function()  # a wrapper may leave that to its first zero_grad
        return optimizer.register_step_post_hook(self._note)

    def _note(self, *_: object) -> None:
        self._made = True


def _is_lower(scaler: torch.amp.GradScaler, before: Tensor | None) -> bool:
    """Return whether a scaler has lowered its scale; it waits for the device."""
    first = scaler._init_scale if before is None else float(before)
    return scaler._scale is not None and float(scaler._scale) < first
