"""The share of units that have ceased to learn."""

import torch
from torch import nn
from torch.optim import Optimizer

from autolr.runtime.exchange import whole
from autolr.runtime.structure import trainable_parameters


def inactive_units(model: nn.Module, optimizer: Optimizer) -> float:
    """Return the largest share of units of one layer that got no gradient at all in the last step.

    A rectified unit that is negative on all inputs passes no gradient to the weights that feed it,
    and does not come back: rates that are too high for a network kill units long before its loss
    shows it. Rows of embeddings are left out, as a batch has few of them, and so are weights that
    FSDP1 has flattened: their rows are not known.

    Args:
        model: The model, with the gradients of its last step.
        optimizer: Its optimizer.

    Returns:
        A share in [0, 1]; 0 without gradients.
    """
    looked_up = {
        module.weight
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }
    shares = []
    for parameter in trainable_parameters(model, optimizer):
        gradient = None if parameter.grad is None else whole(parameter.grad)
        if gradient is None or gradient.is_sparse or parameter.dim() < 2 or parameter in looked_up:
            continue
        silent = gradient.flatten(1).count_nonzero(dim=1) == 0
        shares.append(silent.float().mean())
    if not shares:
        return 0.0
    return float(torch.stack([share.to(shares[0].device) for share in shares]).max())
