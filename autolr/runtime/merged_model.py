"""A model whose weights are a merge of the last checkpoints of another one."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

from autolr.runtime.weighted_sum import has_fraction, weighted_sum
from autolr.schedules.merge_recipe import MergeRecipe


class MergedModel(AveragedModel):
    """Takes in the weights of a model as checkpoints; its own are their weighted sum.

    Where `n_averaged` is set to 0 it begins anew.

    Args:
        model: The model, which is copied.
        recipe: The weights of the checkpoints.
        latest: How many are merged, at most; of a running merge all are, and none is kept.
        device: Of the copy and of the checkpoints that are kept; None: that of the model.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: nn.Module,
        recipe: MergeRecipe,
        latest: int,
        device: torch.device | int | None = None,
    ) -> None:
        super().__init__(model, device=device, use_buffers=True)
        self._recipe = recipe
        self._latest = latest
        self._kept: list[Mapping[str, Tensor]] = []

    @override
    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take in a checkpoint.

        Args:
            model: The model, with the weights of the checkpoint.
        """
        if self.n_averaged == 0:
            self._kept = []
        self.n_averaged += 1
        states = [*self._kept, self._copied(model)][-self._latest :]
        sums = weighted_sum(zip(states, self._weights(len(states)), strict=True))
        # what never changed, as frozen weights, is not rounded either
        level = {k: v for k, v in states[-1].items() if all(s.get(k) is v for s in states)}
        merged, present = sums | level, _tensors(model)
        for name, own in _tensors(self.module).items():
            own.copy_(merged.get(name, present[name]))
        self._kept = [merged] if self._recipe.is_running else states

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Have the weights of a model as they are, where there is no checkpoint yet.

        Args:
            model: The model.
        """
        if self.n_averaged == 0:
            present = _tensors(model)
            for name, own in _tensors(self.module).items():
                own.copy_(present[name])

    def kept(self) -> list[dict[str, Tensor]]:
        """Return the checkpoints to merge the next one with, by reference."""
        return [dict(state) for state in self._kept]

    def load_kept(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Continue with checkpoints that `kept` returned.

        Args:
            states: They may be on another device.
        """
        devices = {name: tensor.device for name, tensor in _tensors(self.module).items()}
        self._kept = [{k: v.to(devices[k]) for k, v in state.items()} for state in states]

    def _copied(self, model: nn.Module) -> dict[str, Tensor]:
        """Return a copy of what can be averaged; what did not change is shared with the last."""
        last = self._kept[-1] if self._kept else {}
        devices = {name: tensor.device for name, tensor in _tensors(self.module).items()}
        copied = {}
        for name, tensor in _tensors(model).items():
            if has_fraction(tensor):
                copied[name] = tensor.to(devices[name], copy=True)
                if name in last and _equal(last[name], copied[name]):
                    copied[name] = last[name]
        return copied

    def _weights(self, count: int) -> list[float]:
        if not self._recipe.is_running:
            return list(self._recipe.weights(count))
        share = float(self._recipe.weights(int(self.n_averaged))[-1])
        return [share] if count == 1 else [1 - share, share]


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, without gradients."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach() for name, tensor in named}
