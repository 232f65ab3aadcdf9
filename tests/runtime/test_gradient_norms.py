"""Norms of gradients, one a step."""

import math

import pytest
import torch

from autolr.runtime import gradient_norms
from autolr.runtime.gradient_norms import GradientNorms


def parameter(grad: list[float] | None) -> torch.Tensor:
    made = torch.zeros(1 if grad is None else len(grad), requires_grad=True)
    made.grad = None if grad is None else torch.tensor(grad)
    return made


@pytest.mark.parametrize(("order", "norm"), [(2, 13.0), (1, 19.0)])
def test_a_norm_is_that_of_all_gradients_of_a_step(order: int, norm: float) -> None:
    norms = GradientNorms(order)
    norms.add([parameter([3.0, 4.0]), parameter(None)])
    norms.add([parameter([-12.0])])  # of another optimizer
    norms.end_step()
    norms.end_step()  # a batch after which nothing stepped
    assert norms.values() == pytest.approx((norm,))
    assert norms.made == 1


def test_a_sparse_gradient_counts_as_the_dense_one() -> None:
    table = torch.nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1, 1, 3])).square().sum().backward()
    norms = GradientNorms(2)
    norms.add(table.parameters())
    norms.end_step()
    assert table.weight.grad is not None
    assert norms.values() == pytest.approx((float(table.weight.grad.to_dense().norm()),))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("order", "norm"), [(2, 2e4), (1, 2e6)])
def test_norms_of_half_precision_are_summed_in_single(
    dtype: torch.dtype, order: int, norm: float
) -> None:
    # 10,000 elements of 200: their sum is beyond the largest number of float16
    made = torch.zeros(10_000, dtype=dtype, requires_grad=True)
    made.grad = torch.full_like(made, 200.0)
    norms = GradientNorms(order)
    norms.add([made, parameter([0.0])])
    norms.end_step()
    assert norms.values() == pytest.approx((norm,))


def test_gradients_that_are_scaled_still_are_divided() -> None:
    norms = GradientNorms(2)
    norms.add([parameter([3.0, 4.0])], scale=10.0)
    norms.end_step()
    assert norms.values() == (0.5,)


def test_a_step_that_a_scaler_skipped_keeps_its_place() -> None:
    norms = GradientNorms(2)
    for value in (1.0, math.inf, 2.0):
        norms.add([parameter([value])])
        norms.end_step()
    assert norms.values() == (1.0, math.inf, 2.0)


def test_of_a_long_run_evenly_spaced_norms_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_norms, "_MOST", 8)
    monkeypatch.setattr(gradient_norms, "_BLOCK", 3)
    norms, cut = GradientNorms(2), GradientNorms(2)
    for step in range(40):
        if step == 13:
            cut = GradientNorms(2, cut.values(), cut.every, cut.made)  # of a checkpoint
        for each in (norms, cut):
            each.add([parameter([float(step)])])
            each.end_step()
    assert norms.values() == tuple(float(step) for step in range(0, 40, 8))
    assert cut.values() == norms.values()
    assert (norms.made, norms.every) == (40, 8)
