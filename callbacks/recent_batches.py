"""The statistics of batch norm for weights that a run did not train with."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autolr.callbacks.batches import own_copy, storable
from autolr.callbacks.learner import steps_of
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.quiet import drop, quiet
from autolr.callbacks.sharded import ranks_of_fit
from autolr.runtime.batch_norm import batch_norms, estimate_statistics
from autolr.runtime.learner import RECENT
from autolr.runtime.plain import unpacked
from autolr.runtime.untouched import untouched


class RecentBatches:
    """The last batches of a run, for which a model with batch norms is run forward.

    A model without batch norms has none, and nothing is kept.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
    """

    def __init__(self, trainer: Trainer, module: LightningModule) -> None:
        self._trainer = trainer
        self._module = module
        self._seen = deque[tuple[Any, int]](maxlen=RECENT if batch_norms(module) else 0)
        self._steps = steps_of(trainer, module, ranks_of_fit(trainer))

    def take(self, batch: Any, batch_idx: int) -> None:
        """Keep a copy of a batch that is about to be trained on.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        if self._seen.maxlen:
            self._seen.append((own_copy(batch), batch_idx))

    def renew_statistics(self) -> None:
        """Have the batch norms hold the statistics of the weights in place; no more is changed."""
        norms = [norm for norm in batch_norms(self._module) if norm.training]
        if not norms or not self._seen:
            return
        with untouched(self._module, weights=True):
            with quiet(self._trainer, self._module, drop):
                estimate_statistics(norms, self._forward)
            renewed = [(n, [self._over_ranks(b) for b in n.buffers(recurse=False)]) for n in norms]
        for norm, values in renewed:
            for buffer, value in zip(norm.buffers(recurse=False), values, strict=True):
                buffer.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the batches, where they are plain, and small enough for a checkpoint."""
        return {"batches": storable([list(each) for each in self._seen])}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on what `state_dict` returned; without batches they are those to come."""
        batches = unpacked(state["batches"] or [], self._module.device)
        self._seen.extend((batch, batch_idx) for batch, batch_idx in batches)

    def _forward(self) -> None:
        for batch, batch_idx in self._seen:
            self._steps.loss(own_copy(batch), batch_idx)

    def _over_ranks(self, buffer: Tensor) -> Tensor:
        if not buffer.is_floating_point():
            return buffer.clone()
        reduced = self._trainer.strategy.reduce(buffer.clone(), reduce_op="mean")
        assert isinstance(reduced, torch.Tensor)
        return reduced
