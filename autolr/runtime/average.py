"""The mean of a model's weights over its last steps, which stands for an annealed copy."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.batch_norm import batch_norms, estimate_statistics
from autolr.runtime.compiled import holds_tensors
from autolr.runtime.exchange import local
from autolr.runtime.naming import Names
from autolr.runtime.plain import size
from autolr.runtime.structure import trainable_parameters
from autolr.runtime.swap import Swap
from autolr.runtime.untouched import untouched

if TYPE_CHECKING:
    from torch.nn.modules.batchnorm import _BatchNorm

_SAMPLES = 16  # of a window; averaging every step would not change the score


class Average:
    """A running mean of the trained weights of a model, each by its parameter.

    Of sharded weights it has the mean of the part that this process holds.

    While the rate is constant the weights bounce around a point of lower loss, near which
    annealing would end; their mean is an estimate of it that takes no step.

    Args:
        model: The model, whose state in place is added by `add`.
        optimizer: Its optimizer: weights that are in none of its groups do not move.
        window: How many steps will be averaged. A weight that begins to train within them is
            averaged from there on, one that is frozen then counts as it is.
        samples: Of how many steps the weights are taken, evenly spread: of all in a window of less
            than twice as many, else of so many at least, and of less than twice as many.

    Attributes:
        window: As given.

    Source: Izmailov et al. 2018 (SWA), arXiv:1803.05407, also for the statistics of batch norm;
    Sandler et al. 2023, arXiv:2301.02312: what averaging does equals annealing to first order.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, window: int, samples: int = _SAMPLES
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self.window = window
        self._every = max(1, window // samples)
        self._left = window
        self._means: dict[Tensor, Tensor] = {}
        self._counts: dict[Tensor, int] = {}  # the samples in each mean
        # of batch norms in training, with these means
        self._statistics: dict[_BatchNorm, list[Tensor]] = {}

    @property
    def nbytes(self) -> int:
        """The bytes of the means."""
        return size(list(self._means.values()))

    def add(self, tensors: Mapping[Tensor, Tensor] | None = None) -> None:
        """Take in weights; to be called after each step of the window.

        Args:
            tensors: Those of a state that is not in place, see `Snapshot`; None: those in place.
        """
        self._left -= 1
        if self._left % self._every == 0:
            self._take({} if tensors is None else tensors)

    @torch.no_grad()
    def _take(self, tensors: Mapping[Tensor, Tensor]) -> None:
        trained = trainable_parameters(self._model, self._optimizer)
        present = {p: local(tensors.get(p, p).detach()) for p in trained}
        self._statistics = {}
        self._counts = {parameter: self._counts.get(parameter, 0) + 1 for parameter in trained}
        self._means = {
            parameter: self._means[parameter]
            if self._counts[parameter] > 1
            else tensor.to(wide(tensor.dtype), copy=True)
            for parameter, tensor in present.items()
        }
        for count in set(self._counts.values()) - {1}:  # most often there is one
            members = [p for p in trained if self._counts[p] == count]
            means = [self._means[parameter] for parameter in members]
            pairs = zip(members, means, strict=True)
            widened = [present[parameter].to(mean.dtype) for parameter, mean in pairs]
            torch._foreach_lerp_(means, widened, 1 / count)

    def state_dict(self) -> dict[str, Any]:
        """Return the means so far, by reference, and what is left of the window."""
        names = Names(self._model, self._optimizer)
        counts = names.by_name(self._counts)
        left = {"window": self.window, "every": self._every, "left": self._left}
        return {"means": names.by_name(self._means), "counts": counts, **left}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of another average; its tensors are taken over."""
        names = Names(self._model, self._optimizer)
        self._means, self._counts = map(names.by_tensor, (state["means"], state["counts"]))
        self._every, self._left = state["every"], state["left"]
        self.window = state.get("window", self.window)  # not stored by earlier versions

    @contextmanager
    def in_place(self, forward: Callable[[], object]) -> Iterator[None]:
        """Have the mean in place for a block; the model is left as it was, bit for bit.

        Args:
            forward: Runs the model in place, in training mode, on recent batches; called where
                there are batch norms, whose statistics belong to other weights. The new statistics
                are kept until weights are added.
        """
        # copies, as a pass may change them
        means = [(p, mean.to(p.dtype, copy=True)) for p, mean in self._means.items()]
        is_bound = holds_tensors(self._model)
        with untouched(self._model):
            with Swap(in_place=is_bound) as swap:
                own = [(parameter, swap.data(parameter, mean)) for parameter, mean in means]
            try:
                self._renew_statistics(forward)
                yield
            finally:
                with Swap(in_place=is_bound) as swap:
                    for parameter, data in own:
                        swap.data(parameter, data)

    @torch.no_grad()
    def stay(self, forward: Callable[[], object]) -> None:
        """Leave the mean in place, with the statistics of batch norm that belong to it.

        Args:
            forward: As for `in_place`.
        """
        with self.in_place(forward):
            pass  # the statistics are known now
        for parameter, mean in self._means.items():
            local(parameter.detach()).copy_(mean)
        self._write_statistics()

    def _renew_statistics(self, forward: Callable[[], object]) -> None:
        norms = [norm for norm in batch_norms(self._model) if norm.training]
        if norms != list(self._statistics):
            with untouched(self._model, weights=True):
                estimate_statistics(norms, forward)
                self._statistics = {n: [b.clone() for b in n.buffers(recurse=False)] for n in norms}
        self._write_statistics()

    def _write_statistics(self) -> None:
        for norm, kept in self._statistics.items():
            for buffer, value in zip(norm.buffers(recurse=False), kept, strict=True):
                buffer.copy_(value)


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which weights of a type are averaged."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
