"""The vectors of a step."""

from typing import Any

import pytest
import torch

from autolr import rules
from autolr.rules.vectors import Vectors


def _vectors(tensor: torch.Tensor, state: dict[str, Any], steps: int = 0) -> Vectors:
    return Vectors([tensor], [tensor.clone()], [state], steps, 1.0, [1.0], [0.0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pair", ["g.g", "g.x"])
def test_products_of_half_precision_do_not_overflow(dtype: torch.dtype, pair: str) -> None:
    ones = torch.ones(300_000, dtype=dtype)
    vectors = _vectors(ones, {})
    assert vectors.products([pair]).item() == pytest.approx(300_000, rel=1e-6)


def test_an_average_with_correction_is_the_mean_weighted_by_age() -> None:
    values = [1.0, 5.0, -2.0, 4.0]
    state: dict[str, Any] = {}
    for steps, value in enumerate(values):
        tensor = torch.tensor([value], dtype=torch.float64)
        vectors = _vectors(tensor, state, steps)
        (result,) = vectors.average("mean", [tensor], beta=0.8)
    shares = [0.8**age for age in (3, 2, 1, 0)]
    mean = sum(share * value for share, value in zip(shares, values, strict=True)) / sum(shares)
    assert result.item() == pytest.approx(mean, rel=1e-12)


def test_a_tensor_that_joins_late_leaves_the_momentum_of_the_others_alone() -> None:
    early, late = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer: Any = rules.build("alr_smag", [early, late], beta=0.5)
    for step in range(3):
        early.grad = torch.tensor([1.0])
        late.grad = torch.tensor([1.0]) if step == 2 else None
        optimizer.step(lambda: torch.tensor(1.0))
    assert optimizer.state[early]["momentum"].item() == 1.75
    assert optimizer.state[late]["momentum"].item() == 1.0
