"""Normalized SGD and random scaling, against torch's SGD at the same sizes of steps."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import numpy as np
import pytest
import torch

from autolr import rules
from autolr.rules.sgd_variants import RandomScaling
from tests.rules.convex import LeastSquares, follow


def sgd(problem, steps, beta, size, batch=8) -> list[torch.Tensor]:
    """Return the weights after each step of torch's SGD, at sizes of a function of its momentum."""
    weights = torch.nn.Parameter(problem.start.clone())
    buffer, way = torch.zeros_like(problem.start), []
    optimizer = torch.optim.SGD([weights], lr=1.0, momentum=beta)
    for step in range(steps):
        begin = batch * step % len(problem.inputs)
        optimizer.zero_grad()
        problem.loss(weights, slice(begin, begin + batch)).backward()
        assert weights.grad is not None
        buffer = beta * buffer + weights.grad
        optimizer.param_groups[0]["lr"] = size(step, buffer)
        optimizer.step()
        way.append(weights.detach().clone())
    return way


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_normalized_sgd_is_sgd_whose_moves_have_the_length_of_the_rate(beta: float) -> None:
    problem = LeastSquares(noise=0.1)
    way = follow("normalized_sgd", problem, 30, peak=0.05, batch=8, beta=beta)
    expected = sgd(problem, 30, beta, lambda step, buffer: 0.05 / buffer.norm().item())
    torch.testing.assert_close(way[1:], torch.stack(expected), rtol=1e-9, atol=1e-9)
    moves = (way[1:] - way[:-1]).norm(dim=1).tolist()
    assert moves == pytest.approx([0.05] * len(moves))


def test_random_scaling_is_sgd_at_random_rates() -> None:
    problem = LeastSquares(noise=0.1)
    scales = [np.random.default_rng([7, step]).exponential() for step in range(30)]
    way = follow("random_scaling", problem, 30, peak=0.01, batch=8, seed=7)
    expected = sgd(problem, 30, 0.9, lambda step, buffer: 0.01 * scales[step])
    torch.testing.assert_close(way[-1], expected[-1], rtol=1e-9, atol=1e-9)


def test_the_random_numbers_are_exponential_and_leave_generators_alone() -> None:
    before = torch.random.get_rng_state(), str(np.random.get_state())
    rule = RandomScaling(seed=3)
    sizes = np.array(
        [rule.step(rules.Statistics(step, 2.0, 0.0, {}), {})[0] for step in range(4000)]
    )
    assert sizes.mean() == pytest.approx(2, rel=0.05)  # three deviations of the mean
    assert sizes.std() == pytest.approx(2, rel=0.1)
    assert np.median(sizes) == pytest.approx(2 * np.log(2), rel=0.08)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert str(np.random.get_state()) == before[1]


def test_without_a_gradient_nothing_moves() -> None:
    for name in ("normalized_sgd", "random_scaling"):
        weights = torch.nn.Parameter(torch.ones(3))
        optimizer: Any = rules.build(name, [weights])
        weights.grad = torch.zeros(3)
        optimizer.step()
        assert torch.equal(weights.detach(), torch.ones(3))
