"""The weighted sum of states of a model."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from autolr.runtime.average import wide


def weighted_sum(states: Iterable[tuple[Mapping[str, Any], float]]) -> dict[str, Tensor]:
    """Return the sum of the tensors with fractions, by name, in float32 at least.

    Args:
        states: Each with its weight; one of weight 0 is left out, one of weight 1 is not rounded.
    """
    sums: dict[str, Tensor] = {}
    for state, weight in states:
        if weight:
            _add(sums, state, float(weight))
    return sums


def has_fraction(value: object) -> bool:
    """Return whether a value is a tensor that can be averaged."""
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _add(sums: dict[str, Tensor], state: Mapping[str, Any], weight: float) -> None:
    for name, value in state.items():
        if has_fraction(value):
            widened = value.detach().to(wide(value.dtype))
            if name in sums:
                sums[name].add_(widened, alpha=weight)
            else:
                sums[name] = widened * weight
