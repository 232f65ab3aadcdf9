"""Strategies under which each process holds a part of the weights."""

from typing import Any

from torch import nn

from autolr.callbacks.namespaces import (
    FSDPStrategy,
    GradientAccumulationScheduler,
    ModelParallelStrategy,
    Strategy,
    Trainer,
    either,
)
from autolr.errors import UnsupportedError
from autolr.runtime.batch_norm import is_synchronized
from autolr.runtime.collectives import Ranks
from autolr.runtime.exchange import gather_back
from autolr.runtime.process_group import ranks_of


def is_sharded(strategy: Strategy) -> bool:
    """Return whether a strategy shards weights: FSDP2 or tensor parallel, or FSDP1."""
    return isinstance(strategy, (*either(ModelParallelStrategy), *either(FSDPStrategy)))


def ranks_of_fit(trainer: Trainer) -> Ranks:
    """Return the processes that train a run together."""
    waits = is_sharded(trainer.strategy) or is_synchronized(trainer.lightning_module)
    return ranks_of(trainer.strategy.root_device, trainer.world_size, waits=waits)


def called_model(trainer: Trainer) -> nn.Module:
    """Return the model through which a step is made that has no backward pass.

    FSDP1 gathers weights in the wrapper around the module; `DistributedDataParallel` has nothing to
    do there.

    Args:
        trainer: A trainer in a fit.
    """
    wrapped = isinstance(trainer.strategy, either(FSDPStrategy))
    model = trainer.strategy.model if wrapped else trainer.lightning_module
    assert model is not None  # in a fit
    return model


def settle(trainer: Trainer) -> None:
    """Have every weight in place as the optimizer has it; see `gather_back`."""
    if is_sharded(trainer.strategy) and trainer.strategy.model is not None:
        gather_back(trainer.strategy.model)


def check_sharded(trainer: Trainer, who: str) -> None:
    """Refuse settings of a sharded strategy with which no states can be exchanged.

    Hybrid sharding, a mesh of two dimensions and FSDP2's offloading are neither refused nor tested.

    Args:
        trainer: The trainer; with any other strategy nothing is refused.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: With what would work.
    """
    if not isinstance(trainer.strategy, either(FSDPStrategy)):
        return
    strategy: Any = trainer.strategy
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    kinds = either(GradientAccumulationScheduler)
    scheduled = any(isinstance(callback, kinds) for callback in callbacks)
    instead = "use FSDP2 (ModelParallelStrategy, with fully_shard in configure_model)"
    if trainer.accumulate_grad_batches > 1 or scheduled:
        raise UnsupportedError(
            f"{who} does not support accumulated gradients under FSDPStrategy, which keeps them "
            f"where they cannot be exchanged: set accumulate_grad_batches=1, or {instead}"
        )
    if not strategy.kwargs.get("use_orig_params", True):
        raise UnsupportedError(
            f"{who} does not support FSDPStrategy(use_orig_params=False), whose weights are flat: "
            f"leave that out, or {instead}"
        )
    if strategy.cpu_offload is not None and strategy.cpu_offload.offload_params:
        raise UnsupportedError(
            f"{who} does not support FSDPStrategy(cpu_offload=True): leave that out, or {instead}"
        )
