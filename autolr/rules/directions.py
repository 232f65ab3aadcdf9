"""Directions of a step: ``weights -= step x direction``.

Each takes the vectors of a step and the rule, and reads its constants from the rule's settings:
``beta`` (or ``beta1``) of momentum, ``beta2`` of the average of squared gradients, ``eps`` against
division by 0. Each allocates at most one new tensor per gradient, since allocating memory costs
more than the arithmetic.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from autolr.errors import ConfigError
from autolr.rules.vectors import Tensors, Vectors

Direction = Callable[[Vectors, Any], Tensors]


def _gradient(vectors: Vectors, rule: Any) -> Tensors:
    """Return the gradient."""
    return vectors.gradients


def _momentum(vectors: Vectors, rule: Any) -> Tensors:
    """Return the decaying sum of all gradients: ``m <- beta m + g``."""
    sums = vectors.sums("momentum")
    torch._foreach_mul_(sums, rule.beta)
    torch._foreach_add_(sums, vectors.gradients)
    return sums


def _average(vectors: Vectors, rule: Any) -> Tensors:
    """Return the average of all gradients: ``m <- beta m + (1 - beta) g``."""
    return vectors.average("momentum", vectors.gradients, rule.beta, rule.bias_correction)


def _adam(vectors: Vectors, rule: Any) -> Tensors:
    """Return the average gradient over its root mean square: ``m / (sqrt(v) + eps)``."""
    mean = vectors.average("momentum", vectors.gradients, rule.beta1)
    return _over(mean, _root_mean_square(vectors, rule))


def _rms_scaled(vectors: Vectors, rule: Any) -> Tensors:
    """Return the gradient over its root mean square: ``g / (sqrt(v) + eps)``."""
    return _over(vectors.gradients, _root_mean_square(vectors, rule))


def _square_scaled(vectors: Vectors, rule: Any) -> Tensors:
    """Return the gradient over its mean square, without the root: ``g / (v + eps)``."""
    scale = list(torch._foreach_add(_mean_square(vectors, rule), rule.eps))
    return _over(vectors.gradients, scale)


def _sum_scaled(vectors: Vectors, rule: Any) -> Tensors:
    """Return the gradient over the sum of all squares: ``g / (sum of g^2 + eps)``."""
    sums = vectors.sums("squares")
    torch._foreach_addcmul_(sums, vectors.gradients, vectors.gradients)
    return _over(vectors.gradients, list(torch._foreach_add(sums, rule.eps)))


def _row_scaled(vectors: Vectors, rule: Any) -> Tensors:
    """Return the gradient over the length of all gradients of its row, or of its vector."""
    scaled = []
    for state, gradient in zip(vectors.states, vectors.gradients, strict=True):
        square = gradient.square()
        if "rows" not in state:
            shape = (len(gradient), *[1] * (gradient.ndim - 1)) if gradient.ndim > 1 else ()
            state["rows"] = gradient.new_full(shape, rule.b0**2)
        rows = square.flatten(1).sum(1).view_as(state["rows"]) if square.ndim > 1 else square.sum()
        state["rows"] += rows
        scaled.append(torch.div(gradient, state["rows"].sqrt(), out=square))
    return scaled


def _energy(vectors: Vectors, rule: Any) -> Tensors:
    """Update the energy, and return the direction of `AEGD`: ``2 r v``."""
    if vectors.loss + rule.c <= 0:
        expected = f"above {-vectors.loss:g}, the loss being {vectors.loss:g}"
        raise ConfigError.of("c of AEGD", rule.c, expected)
    root = math.sqrt(vectors.loss + rule.c)
    for state, weight in zip(vectors.states, vectors.weights, strict=True):
        if "energy" not in state:
            state["energy"] = torch.full_like(weight, root)
    energies = [state["energy"] for state in vectors.states]
    direction = list(torch._foreach_mul(vectors.gradients, vectors.gradients))
    squares = 4 * root**2
    torch._foreach_mul_(direction, [2 * vectors.rate * share / squares for share in vectors.shares])
    torch._foreach_add_(direction, 1.0)
    torch._foreach_div_(energies, direction)
    torch._foreach_copy_(direction, vectors.gradients)
    torch._foreach_mul_(direction, energies)
    torch._foreach_div_(direction, root)
    return direction


def _mean_square(vectors: Vectors, rule: Any) -> Tensors:
    return vectors.average_squares("squares", vectors.gradients, rule.beta2)


def _root_mean_square(vectors: Vectors, rule: Any) -> Tensors:
    root = list(torch._foreach_sqrt(_mean_square(vectors, rule)))
    torch._foreach_add_(root, rule.eps)
    return root


def _over(numerators: Tensors, divisors: Tensors) -> Tensors:
    """Return the quotients, in the memory of the divisors."""
    torch._foreach_reciprocal_(divisors)
    torch._foreach_mul_(divisors, numerators)
    return divisors


DIRECTIONS: dict[str, Direction] = {
    "gradient": _gradient,
    "momentum": _momentum,
    "average": _average,
    "adam": _adam,
    "rms_scaled": _rms_scaled,
    "square_scaled": _square_scaled,
    "sum_scaled": _sum_scaled,
    "row_scaled": _row_scaled,
    "energy": _energy,
}
