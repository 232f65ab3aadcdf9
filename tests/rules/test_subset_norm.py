"""Subset-norm lies between AdaGrad-Norm and AdaGrad, and is each of them for its own shapes."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import pytest
import torch

from autolr import rules


def trained(build, shape) -> torch.Tensor:
    """Return the weights after steps on a quadratic whose curvatures differ."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(12, generator=generator).double().view(shape))
    curvatures = torch.logspace(-1, 1, 12).double().view(shape)
    optimizer: Any = build([weights])
    for _ in range(20):
        optimizer.zero_grad()
        optimizer.loss = (curvatures * weights.square()).sum() / 2
        optimizer.loss.backward()
        optimizer.step()
    return weights.detach().flatten()


def ours(params):
    return rules.build("subset_norm", params, 0.3, b0=0.1)


@pytest.mark.parametrize("shape", [(12, 1), (12, 1, 1, 1)])
def test_rows_of_one_weight_are_adagrads(shape: tuple[int, ...]) -> None:
    expected = trained(
        lambda params: torch.optim.Adagrad(params, lr=0.3, initial_accumulator_value=0.01, eps=0),
        shape,
    )
    torch.testing.assert_close(trained(ours, shape), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(12,), (1, 12), (1, 3, 2, 2)])
def test_one_row_is_adagrad_norms(shape: tuple[int, ...]) -> None:
    expected = trained(lambda params: rules.build("adagrad_norm", params, 0.3, b0=0.1), shape)
    torch.testing.assert_close(trained(ours, shape), expected, rtol=1e-12, atol=1e-12)


def test_rows_are_parameters_of_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    whole = torch.nn.Parameter(torch.randn(3, 4, generator=generator).double())
    rows = [torch.nn.Parameter(row.clone()) for row in whole.detach()]
    optimizers = [ours([whole]), *(ours([row]) for row in rows)]
    for _ in range(10):
        for optimizer in optimizers:
            optimizer.zero_grad()
        (whole**4).sum().backward()
        (torch.stack(list(rows)) ** 4).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(whole.detach(), torch.stack([row.detach() for row in rows]))
