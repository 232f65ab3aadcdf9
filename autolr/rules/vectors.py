"""The vectors of a step, and the inner products that rules need."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autolr.errors import UnsupportedError
from autolr.rules.base import newest_share

Tensors = list[Tensor]


@dataclass
class Vectors:
    """The tensors of one step, by the letters of `Rule`.

    Attributes:
        weights: The parameters that have a gradient.
        gradients: Their gradients.
        states: The optimizer's state of each, which keeps vectors of earlier steps.
        steps: Number of steps before this one.
        rate: Peak x schedule, of the group with the highest one.
        shares: The rate of each parameter relative to that, in [0, 1].
        decays: The weight decay of each parameter.
        loss: Of the batch before the step; NaN if the rule does not need it.
        direction: The direction of the step, once it is computed.
        move: The whole move, if it is no multiple of the direction.
    """

    weights: Tensors
    gradients: Tensors
    states: Sequence[dict[str, Any]]
    steps: int
    rate: float
    shares: list[float]
    decays: list[float]
    loss: float = math.nan
    direction: Tensors = field(default_factory=list)
    move: Tensors | None = None

    def letter(self, name: str) -> Tensors | None:
        """Return the tensors of a letter; None if they are all 0."""
        return _LETTERS[name](self)

    def products(self, pairs: Collection[str]) -> Tensor:
        """Return the inner products of each tensor, shape (pairs, tensors), float64."""
        mixed = [pair for pair in pairs if pair not in _DISTANCES]
        letters = {name: self.letter(name) for pair in mixed for name in pair.split(".")}
        return torch.stack(
            [
                self._product(letters[pair[0]], letters[pair[2]])
                if pair in mixed
                else self._squared_distance(*_DISTANCES[pair])
                for pair in pairs
            ]
        )

    def keep(self, letters: Collection[str]) -> None:
        """Keep what the next step compares with. Call it before the step."""
        if "r" in letters:
            self.keep_once("start", self.weights)
        if "s" in letters:
            self._keep("last_weights", self.weights)
        if "y" in letters:
            self._keep("last_gradient", self.gradients)
        if "u" in letters:
            self._keep("last_direction", self.direction)

    def kept(self, name: str) -> Tensors | None:
        """Return what is kept under a name; None before the first step."""
        if any(name not in state for state in self.states):
            return None
        return [state[name] for state in self.states]

    def sums(self, name: str) -> Tensors:
        """Return the running sums kept under a name, zeros at first, to be updated in place."""
        for state, weight in zip(self.states, self.weights, strict=True):
            if name not in state:
                state[name] = torch.zeros_like(weight)
        return [state[name] for state in self.states]

    def average(self, name: str, values: Tensors, beta: float, corrected: bool = True) -> Tensors:
        """Update the exponential average that is kept under a name, and return it.

        Args:
            name: Where it is kept.
            values: Of this step.
            beta: Decay of the average.
            corrected: Whether to apply Adam's bias correction; else the average starts at the
                first value.
        """
        self.keep_once(name, values)
        means = [state[name] for state in self.states]
        torch._foreach_lerp_(means, values, newest_share(beta, self.steps, corrected))
        return means

    def average_squares(self, name: str, values: Tensors, beta: float) -> Tensors:
        """Update the average of squared values, as `average` does, without a new tensor.

        Args:
            name: Where it is kept.
            values: Of this step.
            beta: Decay of the average.
        """
        for state, value in zip(self.states, values, strict=True):
            if name not in state:
                state[name] = value.detach().square()
        means = [state[name] for state in self.states]
        share = newest_share(beta, self.steps, True)
        torch._foreach_mul_(means, 1 - share)
        torch._foreach_addcmul_(means, values, values, value=share)
        return means

    def _product(self, left: Tensors | None, right: Tensors | None) -> Tensor:
        if left is None or right is None:
            device = self.weights[0].device
            return torch.zeros(len(self.weights), dtype=torch.float64, device=device)
        return inner(left, right)

    def _squared_distance(self, present: str, name: str) -> Tensor:
        """Return the squared distances of tensors from their kept values, shape (tensors,).

        On a CPU one at a time: allocating memory for all differences at each step would cost
        more than the arithmetic.
        """
        now, earlier = getattr(self, present), self.kept(name)
        if earlier is None or now[0].device.type != "cpu":
            gaps = self._since(now, name)
            return self._product(gaps, gaps)
        pairs = zip(now, earlier, strict=True)
        return torch.cat([inner(gap, gap) for one, other in pairs if (gap := [one - other])])

    def _way(self) -> Tensors:
        if all(share == 1 for share in self.shares):
            return self.direction
        return list(torch._foreach_mul(self.direction, self.shares))

    def _since(self, present: Tensors, name: str) -> Tensors | None:
        earlier = self.kept(name)
        return None if earlier is None else list(torch._foreach_sub(present, earlier))

    def keep_once(self, name: str, tensors: Tensors) -> None:
        """Copy tensors into the states that keep none under that name.

        Args:
            name: Where they are kept.
            tensors: One for each state.
        """
        for state, tensor in zip(self.states, tensors, strict=True):
            if name not in state:
                state[name] = tensor.detach().clone()

    def _keep(self, name: str, tensors: Tensors) -> None:
        self.keep_once(name, tensors)
        held = [state[name] for state in self.states]
        torch._foreach_copy_(held, tensors)


def inner(left: Tensors, right: Tensors) -> Tensor:
    """Return the inner product of each pair of tensors.

    Args:
        left: Tensors.
        right: As many, of the same shapes; the same list gives squared norms.

    Returns:
        Shape (tensors,), float64, on the device of the first tensor.
    """
    device = left[0].device
    if left is right:
        wide = torch.float32 if left[0].dtype in _HALF else None
        norms = torch._foreach_norm(left, dtype=wide)
        return torch.stack([norm.to(device, torch.float64) for norm in norms]) ** 2
    dots = [torch.dot(_flat(a), _flat(b)) for a, b in zip(left, right, strict=True)]
    return torch.stack([dot.to(device, torch.float64) for dot in dots])


def dense(gradient: Tensor | None) -> Tensor:
    """Return a gradient that exists.

    Raises:
        UnsupportedError: If it is sparse.
    """
    assert gradient is not None
    if gradient.is_sparse:
        raise UnsupportedError("rules need dense gradients, got a sparse one")
    return gradient


_HALF = (torch.float16, torch.bfloat16)


def _flat(tensor: Tensor) -> Tensor:
    """Return its elements, shape (elements,), in a type whose sums do not overflow."""
    return tensor.flatten().float() if tensor.dtype in _HALF else tensor.flatten()


_DISTANCES = {
    "r.r": ("weights", "start"),
    "s.s": ("weights", "last_weights"),
    "y.y": ("gradients", "last_gradient"),
}

_LETTERS: dict[str, Callable[[Vectors], Tensors | None]] = {
    "g": lambda v: v.gradients,
    "d": lambda v: v.direction,
    "w": lambda v: v._way(),
    "m": lambda v: v.kept("momentum"),
    "v": lambda v: v.kept("velocity"),
    "x": lambda v: v.weights,
    "r": lambda v: v._since(v.weights, "start"),
    "u": lambda v: v.kept("last_direction"),
    "s": lambda v: v._since(v.weights, "last_weights"),
    "y": lambda v: v._since(v.gradients, "last_gradient"),
}
