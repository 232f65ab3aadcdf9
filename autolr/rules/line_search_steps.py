"""Runs the trials of a line search."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolr.rng import RngState
from autolr.rules.base import Answer, Ask, Blend, Trials
from autolr.rules.vectors import Tensors, Vectors, inner


def run_line_search(
    trials: Trials, vectors: Vectors, move: Callable[[float], None], evaluate: Callable[[], float]
) -> Answer:
    """Run the trials of a line search, and return the size of the step and the memory.

    The weights, their gradients and the random generators are restored afterwards. A `Blend`
    becomes ``vectors.move``.

    Args:
        trials: What the search yields.
        vectors: Of the step.
        move: Makes a step of a given size.
        evaluate: Returns the loss of the batch, and sets the gradients of the weights.
    """
    after = RngState.capture()
    bench = _Bench(vectors)
    try:
        ask = next(trials)
        while True:
            ask = trials.send(_answer(ask, bench, move, evaluate))
    except StopIteration as end:
        size, memory = end.value
        if not isinstance(size, Blend):
            return size, memory
        vectors.move = bench.blend(size)
        return 0.0, memory
    finally:
        bench.clear()
        after.restore()


def _answer(
    ask: Ask, bench: "_Bench", move: Callable[[float], None], evaluate: Callable[[], float]
) -> float | dict[str, NDArray[np.float64]]:
    if isinstance(ask, tuple):
        return bench.products(ask)
    bench.rewind()
    move(ask)
    return evaluate()


class _Bench:
    """The weights and gradients before the step, and those of the present trial."""

    def __init__(self, vectors: Vectors) -> None:
        own = [gradient.clone() for gradient in vectors.gradients]  # a closure clears them
        if vectors.direction is vectors.gradients:
            vectors.direction = own
        vectors.gradients = own
        self._vectors = vectors
        self._start = [weight.clone() for weight in vectors.weights]

    def rewind(self) -> None:
        torch._foreach_copy_(self._vectors.weights, self._start)

    def clear(self) -> None:
        self.rewind()
        for weight, own in zip(self._vectors.weights, self._vectors.gradients, strict=True):
            weight.grad = own

    def products(self, pairs: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        letters = self._letters()
        products = torch.stack([inner(letters[pair[0]], letters[pair[2]]) for pair in pairs])
        return dict(zip(pairs, products.cpu().numpy(), strict=True))

    def blend(self, shares: Blend) -> Tensors:
        letters = self._letters()
        move = torch._foreach_mul(letters["s"], shares.s.tolist())
        torch._foreach_add_(move, torch._foreach_mul(letters["g"], shares.g.tolist()))
        torch._foreach_add_(move, torch._foreach_mul(letters["y"], shares.y.tolist()))
        return list(move)

    def _letters(self) -> dict[str, Tensors]:
        weights, gradients = self._vectors.weights, self._vectors.gradients
        tried = [_or_zeros(weight) for weight in weights]
        return {
            "s": list(torch._foreach_sub(weights, self._start)),
            "g": gradients,
            "y": list(torch._foreach_sub(tried, gradients)),
        }


def _or_zeros(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
