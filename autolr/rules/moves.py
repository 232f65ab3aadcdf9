"""How a step moves the weights."""

from collections.abc import Sequence
from typing import Any

import torch

from autolr.rules.vectors import Tensors, Vectors


def move(vectors: Vectors, sizes: Sequence[float], rule: Any) -> None:
    """Move the weights by ``size x direction``, and by what the rule's inertia adds.

        no inertia:  x <- x - size d
        heavy ball:  v <- beta v - size d,  x <- x + v
        nesterov:    v <- beta v - size d,  x <- x + beta v - size d

    Weight decay comes first: ``x <- x - size decay x``.

    Args:
        vectors: Weights and direction; the velocity ``v`` is kept in their states.
        sizes: Shape (tensors,), for a group with the highest rate.
        rule: Its ``inertia`` says which formula, its setting ``beta`` the share.
    """
    if vectors.move is not None:
        torch._foreach_add_(vectors.weights, vectors.move)
        return
    own = [float(size) * share for size, share in zip(sizes, vectors.shares, strict=True)]
    if any(vectors.decays):
        kept = [1 - size * decay for size, decay in zip(own, vectors.decays, strict=True)]
        torch._foreach_mul_(vectors.weights, kept)
    if rule.inertia and rule.beta:
        _carry_on(vectors, own, rule)
    else:
        _subtract(vectors.weights, vectors.direction, own)


def _carry_on(vectors: Vectors, sizes: list[float], rule: Any) -> None:
    velocity = vectors.sums("velocity")
    torch._foreach_mul_(velocity, rule.beta)
    _subtract(velocity, vectors.direction, sizes)
    if rule.inertia == "nesterov":
        _subtract(vectors.weights, vectors.direction, sizes)
        torch._foreach_add_(vectors.weights, velocity, alpha=rule.beta)
    else:
        torch._foreach_add_(vectors.weights, velocity)


def _subtract(tensors: Tensors, direction: Tensors, sizes: list[float]) -> None:
    if len(set(sizes)) == 1:
        torch._foreach_add_(tensors, direction, alpha=-sizes[0])
    else:
        torch._foreach_sub_(tensors, torch._foreach_mul(direction, sizes))
