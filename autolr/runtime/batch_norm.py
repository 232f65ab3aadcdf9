"""The statistics of batch norms."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from autolr.rng import isolated_rng
from autolr.runtime.compiled import as_written


def estimate_statistics(norms: Sequence[_BatchNorm], forward: Callable[[], object]) -> None:
    """Replace running statistics by their means over recent batches.

    Args:
        norms: The batch norms of a model in training mode.
        forward: Runs the model on the batches; without gradients, generators are restored.
    """
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    try:
        with torch.no_grad(), isolated_rng(), as_written():
            forward()
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def is_synchronized(model: nn.Module) -> bool:
    """Return whether a forward pass takes the means over all processes."""
    return any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Return the modules whose statistics a forward pass in training mode changes."""
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm))
    return [norm for norm in norms if norm.track_running_stats]
