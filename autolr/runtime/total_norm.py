"""The norm of all gradients of a step together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autolr.runtime.average import wide

_HALF = (torch.float16, torch.bfloat16)


def total_norm(grads: Sequence[Tensor], order: int) -> Tensor:
    """Return the norm of all gradients together, in float32 at least.

    Args:
        grads: At least one; they may be sparse.
        order: 2 for the L2 norm, 1 for the sum of absolute values.
    """
    dense = [grad.coalesce().values() if grad.is_sparse else grad for grad in grads]
    total: Tensor
    if any(grad.dtype in _HALF for grad in dense):  # a sum in half precision ends at 65,504
        norms = [torch.linalg.vector_norm(grad, order, dtype=wide(grad.dtype)) for grad in dense]
        together = torch.stack([norm.to(norms[0]) for norm in norms])
        total = torch.linalg.vector_norm(together, order)
    else:
        foreach = True if all(grad.is_cpu for grad in dense) else None  # else torch loops there
        total = nn.utils.get_total_norm(dense, float(order), foreach=foreach)
    return total
