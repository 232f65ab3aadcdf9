"""The mean of a model's weights over its last steps, which stands for an annealed copy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from autolr.runtime.batch_norm import batch_norms, estimate_statistics
from autolr.runtime.model_tensors import tensors_of
from autolr.runtime.untouched import untouched

_SAMPLES = 16  # of a window; averaging every step would not change the score


class Average:
    """A running mean of the trainable weights of a model.

    While the rate is constant the weights bounce around a point of lower loss, near which
    annealing would end; their mean is an estimate of it that takes no step.

    Args:
        model: The model, whose state in place is added by `add`.
        window: How many steps will be averaged; of more than 31 only 16 to 31, evenly spread.

    Source: Izmailov et al. 2018 (SWA), arXiv:1803.05407, also for the statistics of batch norm;
    Sandler et al. 2023, arXiv:2301.02312: what averaging does equals annealing to first order.
    """

    def __init__(self, model: nn.Module, window: int) -> None:
        self._model = model
        self._every = max(1, window // _SAMPLES)
        self._left = window
        self._mean: list[Tensor] = []
        self._count = 0
        self._statistics: list[list[Tensor]] = []  # of batch norms in training, with this mean

    def add(self, tensors: Sequence[Tensor] | None = None) -> None:
        """Take in weights; to be called after each step of the window.

        Args:
            tensors: Those of a state that is not in place, see `Snapshot`; None: those in place.
        """
        self._left -= 1
        if self._left % self._every == 0:
            self._take(tensors)

    @torch.no_grad()
    def _take(self, tensors: Sequence[Tensor] | None) -> None:
        parameters, _ = tensors_of(self._model)
        pairs = zip(parameters, parameters if tensors is None else tensors, strict=False)
        present = [tensor.detach() for parameter, tensor in pairs if parameter.requires_grad]
        self._count += 1
        self._statistics = []
        if self._count == 1:
            self._mean = [tensor.to(_wide(tensor.dtype), copy=True) for tensor in present]
            return
        widened = [tensor.to(mean.dtype) for tensor, mean in zip(present, self._mean, strict=True)]
        torch._foreach_lerp_(self._mean, widened, 1 / self._count)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean so far, by reference, and what is left of the window."""
        counts = {"count": self._count, "every": self._every, "left": self._left}
        return {"mean": self._mean, **counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of another average; its tensors are taken over."""
        self._mean, self._count = list(state["mean"]), state["count"]
        self._every, self._left = state["every"], state["left"]

    @contextmanager
    def in_place(self, forward: Callable[[], object]) -> Iterator[None]:
        """Have the mean in place for a block; the model is left as it was, bit for bit.

        Args:
            forward: Runs the model in place, in training mode, on recent batches; called where
                there are batch norms, whose statistics belong to other weights. The new statistics
                are kept until weights are added.
        """
        parameters = _trainable(self._model)
        own = [parameter.data for parameter in parameters]
        with untouched(self._model):
            for parameter, mean in zip(parameters, self._mean, strict=True):
                parameter.data = mean.to(parameter.dtype, copy=True)  # a pass may change it
            try:
                self._renew_statistics(forward)
                yield
            finally:
                for parameter, data in zip(parameters, own, strict=True):
                    parameter.data = data

    def _renew_statistics(self, forward: Callable[[], object]) -> None:
        norms = [norm for norm in batch_norms(self._model) if norm.training]
        if norms and not self._statistics:
            with untouched(self._model, weights=True):
                estimate_statistics(norms, forward)
                self._statistics = [[b.clone() for b in n.buffers(recurse=False)] for n in norms]
        for norm, kept in zip(norms, self._statistics, strict=True):
            for buffer, value in zip(norm.buffers(recurse=False), kept, strict=True):
                buffer.copy_(value)


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in tensors_of(model)[0] if parameter.requires_grad]


def _wide(dtype: torch.dtype) -> Any:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
