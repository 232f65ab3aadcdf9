"""The `DistributedDataParallel` through which a module is trained on several devices."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.nn.parallel import DistributedDataParallel


class DDPWrapper:
    """Lets several states of a module take turns in its `DistributedDataParallel`, if it has one.

    Rivals go through the wrapper as the live run does. So it averages their gradients, over the
    same buckets and while the backward pass is still running, it broadcasts rank 0's buffers
    before the same forward passes, and handles unused parameters.

    Args:
        model: The model as it is called in training: the wrapper, or anything else.
    """

    def __init__(self, model: object) -> None:
        self._wrapped = model if isinstance(model, DistributedDataParallel) else None
        self._shares = False

    def remember(self) -> None:
        """Note what the wrapper is about to do with the buffers in the live run's step."""
        if self._wrapped is not None:
            self._shares = self._wrapped.require_forward_param_sync

    @contextmanager
    def repeated(self) -> Iterator[None]:
        """Let the wrapper do the same in the block; its flag is restored after it."""
        if self._wrapped is None:
            yield
            return
        after = self._wrapped.require_forward_param_sync
        self._wrapped.require_forward_param_sync = self._shares
        try:
            yield
        finally:
            self._wrapped.require_forward_param_sync = after
            self.release_gradients()

    def release_gradients(self) -> None:
        """Copy gradients that lie in the wrapper's buckets: the next state's go there too."""
        if self._wrapped is not None and self._wrapped.gradient_as_bucket_view:
            for parameter in self._wrapped.module.parameters():
                if parameter.grad is not None:
                    parameter.grad = parameter.grad.clone()

    def share_buffers(self) -> None:
        """Overwrite the buffers with rank 0's, as before the Trainer's validation."""
        wrapped = self._wrapped
        if wrapped is not None and wrapped.broadcast_buffers and wrapped.modules_buffers:
            wrapped._sync_buffers()  # type: ignore[no-untyped-call]
