"""MoMo: what it knows of the lowest loss; see also the golden values."""
# mypy: allow-untyped-calls, allow-untyped-defs

import pytest
import torch

from autolr import rules
from tests.rules.convex import LeastSquares, distances, follow, run


@pytest.mark.parametrize(("name", "peak"), [("momo", 0.1), ("momo_adam", 0.1)])
def test_the_lowest_loss_is_found_where_it_is_not_given(name: str, peak: float) -> None:
    problem = LeastSquares(noise=1.0)
    made = []

    def build(params):
        made.append(rules.build(name, params, peak, estimate=True))
        return made[0]

    way = run(build, problem, 500)
    assert problem.lowest > 0.4
    estimate = made[0].param_groups[0]["memory"]["lowest"]
    assert estimate == pytest.approx(problem.lowest, rel=0.02)
    assert distances(way, problem.optimum)[-1] < 0.1 * distances(way, problem.optimum)[0]


def test_momo_adam_at_its_cap_is_adam() -> None:
    problem = LeastSquares()
    way = follow("momo_adam", problem, 30, peak=1e-3, batch=8)  # far from Polyak's size
    weights = torch.nn.Parameter(problem.start.clone())
    adam = torch.optim.Adam([weights], lr=1e-3)
    for step in range(30):
        begin = 8 * step % 32
        adam.zero_grad()
        problem.loss(weights, slice(begin, begin + 8)).backward()
        adam.step()
    torch.testing.assert_close(way[-1], weights.detach(), rtol=1e-10, atol=1e-10)
