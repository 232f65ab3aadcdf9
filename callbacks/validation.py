"""A pass over the validation data that scores the model in place and leaves no trace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch

from autolr.callbacks.batches import kept_generators_of, own_copy, size_in_bytes, unstarted
from autolr.callbacks.logged import Logged, LoggedValues, reduced
from autolr.callbacks.namespaces import (
    LightningModule,
    Trainer,
    is_overridden,
    is_param_in_hook_signature,
)
from autolr.callbacks.quiet import quiet
from autolr.errors import UnsupportedError
from autolr.rng import isolated_rng
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.evaluation import evaluating
from autolr.runtime.untouched import untouched

_CACHE_BYTES = 256 * 2**20  # validation batches kept in memory for the next pass, at most


class ValidationPass:
    """Scores the model that is in place as the Trainer's validation loop would.

    ``limit_val_batches`` is respected. What the module logs in ``validation_step`` and at the
    epoch's end is collected here only; no other callback is called. Weights,
    buffers, generators, metrics, plain attributes and training modes are left as they were.
    Batches are kept in memory, up to 256 MiB, so that all passes see the same ones. Each rank
    takes the batches that the Trainer gives it; what they log is reduced over them.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that validate together.
    """

    def __init__(
        self, trainer: Trainer, module: LightningModule, ranks: Ranks | None = None
    ) -> None:
        self.ranks: Ranks = Alone() if ranks is None else ranks
        self._trainer = trainer
        self._module = module
        self._cached: dict[int, list[Any]] = {}
        self._cached_bytes = 0
        loop = trainer.fit_loop.epoch_loop.val_loop
        if trainer.enable_validation:  # not set up yet if the first epoch ends without it
            with isolated_rng(), _validating(trainer):
                loop.setup_data()
        if loop._combined_loader is not None and loop._combined_loader._mode != "sequential":
            mode = loop._combined_loader._mode
            raise UnsupportedError(f"CombinedLoader(mode={mode!r}) is not supported in validation")

    @property
    def exists(self) -> bool:
        """Whether the run has validation data and a step for it."""
        taken = any(batches for _, batches in self._loaders())
        return taken and is_overridden("validation_step", self._module)

    def run(self, limit: int | None = None) -> dict[str, float]:
        """Return what one pass logs.

        Args:
            limit: Batches of each loader at most.
        """
        logged = Logged()
        with (
            untouched(self._module),
            isolated_rng(),
            evaluating(self._module),
            _validating(self._trainer),
            torch.no_grad(),
            quiet(self._trainer, self._module, logged.log),
        ):
            by_rank = self.ranks.gather(lambda: self._log_pass(logged, limit))
            return reduced(by_rank) | logged.metrics()

    def _log_pass(self, logged: Logged, limit: int | None) -> LoggedValues:
        self._run_hooks(logged, limit)
        return logged.values()

    def _run_hooks(self, logged: Logged, limit: int | None) -> None:
        module = self._module
        module.on_validation_model_eval()
        module.on_validation_start()
        module.on_validation_epoch_start()
        loaders = self._loaders()
        several = len(loaders) > 1
        for index, (loader, batches) in enumerate(loaders):
            logged.suffix = f"/dataloader_idx_{index}" if several else ""
            for batch_idx, batch in enumerate(self._batches(index, loader, batches, limit)):
                logged.batch = batch
                place: Any = (batch, batch_idx, index) if several else (batch, batch_idx)
                module.on_validation_batch_start(*place)
                with self._trainer.precision_plugin.val_step_context():
                    outputs = module.validation_step(*self._arguments(*place))
                module.on_validation_batch_end(outputs, *place)
        logged.suffix, logged.batch = "", None
        module.on_validation_epoch_end()
        module.on_validation_end()
        if is_overridden("on_validation_model_train", module):
            module.on_validation_model_train()

    def _arguments(self, batch: Any, batch_idx: int, *index: int) -> tuple[Any, ...]:
        step = self._module.validation_step
        takes_index = is_param_in_hook_signature(step, "batch_idx", min_args=2)
        arguments = (batch, batch_idx) if takes_index else (batch,)
        return (*arguments, *index)

    def _loaders(self) -> list[tuple[Any, int | float]]:
        """Return each validation loader with the number of batches that the trainer takes."""
        loaders = self._trainer.val_dataloaders
        if loaders is None:
            return []
        if isinstance(loaders, Mapping):
            loaders = list(loaders.values())
        if not isinstance(loaders, list | tuple):
            loaders = [loaders]
        taken = self._trainer.num_val_batches
        limits = taken if isinstance(taken, list) else [taken] * len(loaders)
        pairs = zip(loaders, limits, strict=True)
        return list(pairs)

    def _batches(
        self, index: int, loader: Any, batches: int | float, limit: int | None
    ) -> Iterator[Any]:
        wanted = None if batches == float("inf") else int(batches)
        if limit is not None:
            wanted = limit if wanted is None else min(wanted, limit)
        kept: list[Any] | None
        if index in self._cached:
            kept = self._cached[index][:wanted]
            yield from (self._on_device(own_copy(batch), index) for batch in kept)
            return
        kept = [] if limit is None else None
        with kept_generators_of(loader):
            for batch in islice(iter(unstarted(loader)), wanted):
                if kept is not None:
                    self._cached_bytes += size_in_bytes(batch)
                    fits = self._cached_bytes <= _CACHE_BYTES
                    kept = [*kept, own_copy(batch)] if fits else None
                yield self._on_device(batch, index)
        if kept is not None:
            self._cached[index] = kept

    def _on_device(self, batch: Any, index: int) -> Any:
        trainer = self._trainer
        batch = trainer.precision_plugin.convert_input(batch)
        batch = self._module._on_before_batch_transfer(batch, dataloader_idx=index)
        return trainer.strategy.batch_to_device(batch, dataloader_idx=index)


@contextmanager
def _validating(trainer: Trainer) -> Iterator[None]:
    """Have ``trainer.validating`` for a block: transfer hooks augment only what is trained on."""
    stage = trainer.state.stage
    assert stage is not None  # in a fit
    trainer.state.stage = type(stage).VALIDATING
    try:
        yield
    finally:
        trainer.state.stage = stage
