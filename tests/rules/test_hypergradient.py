from typing import Any

import pytest
import torch

from autolr import rules
from tests.rules.problems import ones, quadratic, step

_UNIT = torch.ones(1, dtype=torch.float64)


def _factors(name: str, peak: float, steps: int, **settings: Any) -> list[float]:
    weights = ones(1)
    optimizer = rules.build(name, weights, peak, **settings)
    loss, result = quadratic(weights, _UNIT), []
    for _ in range(steps):
        step(optimizer, loss)
        result.append(optimizer.param_groups[0]["memory"]["factor"])
    return result


@pytest.mark.parametrize("name", ["hypergradient_sgd", "hypergradient_adam"])
def test_the_rate_rises_by_beta_while_steps_agree(name: str) -> None:
    result = _factors(name, 1e-3, 11, beta=0.1)
    assert result == pytest.approx([1.1**count for count in range(11)])


def test_the_rate_falls_by_beta_while_steps_turn_back() -> None:
    result = _factors("hypergradient_sgd", 1.9, 8, beta=0.1)  # x -> -0.9 x
    assert result == pytest.approx([0.9**count for count in range(8)])


def test_the_rate_of_adam_falls_where_its_steps_overshoot() -> None:
    result = _factors("hypergradient_adam", 3.0, 2, beta=0.1, beta1=0.0)  # 1 -> -2, turned back
    assert result == pytest.approx([1.0, 0.9])


@pytest.mark.parametrize(("peak", "bound"), [(1e-4, 3.0), (1.99, 0.5)])
def test_the_factor_stays_within_its_bounds(peak: float, bound: float) -> None:
    result = _factors("hypergradient_sgd", peak, 40, beta=0.2, low=0.5, high=3.0)
    assert min(result) >= 0.5
    assert max(result) <= 3.0
    assert bound in result


def test_the_first_step_has_no_factor() -> None:
    assert _factors("hypergradient_sgd", 0.1, 1) == [1.0]


def test_too_low_a_rate_is_made_up_for() -> None:
    losses = {}
    for name in ("fixed", "hypergradient_sgd"):
        weights = ones(3)
        optimizer = rules.build(name, weights, 0.01)
        loss = quadratic(weights, torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
        losses[name] = [step(optimizer, loss) for _ in range(200)][-1]
    assert losses["hypergradient_sgd"] < losses["fixed"] / 100
