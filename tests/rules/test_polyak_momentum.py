"""Polyak's step with momentum."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits

from autolr import rules
from autolr.errors import ConfigError
from tests.rules.convex import LeastSquares, follow

_UNBOUND = 1e9


@pytest.mark.parametrize(
    ("name", "peak", "settings", "c"),
    [
        ("momo", 0.3, {}, 1.0),
        ("momo", 0.3, {"bias_correction": True}, 1.0),
        ("alr_smag", 0.3, {"c": 0.5}, 0.5),
        ("momsps", 0.3, {"c": 2.0}, 2.0),
        ("alig", 0.3, {"eps": 0.0}, 1.0),
        ("alr_hb", 0.3, {"c": 0.5}, 0.5),
        ("alr_mag", 1.0, {}, 1.0),
    ],
)
def test_without_momentum_it_is_polyaks_step(name, peak, settings, c) -> None:
    problem = LeastSquares()
    way = follow(name, problem, 30, peak=peak, batch=8, beta=0.0, **settings)
    cap = peak if peak < 1 else _UNBOUND
    polyak = follow("sps_max", problem, 30, peak=cap, batch=8, c=c, eps=0.0)
    torch.testing.assert_close(way, polyak, rtol=1e-9, atol=1e-9)


class _Hinge:
    """``|a x - b|``: of all convex losses the one that its slope says all about."""

    inputs = torch.tensor([[3.0, -2.0]], dtype=torch.float64)
    start = torch.tensor([1.0, 5.0], dtype=torch.float64)
    optimum = torch.tensor([1.0, 1.0], dtype=torch.float64)

    def loss(self, weights, rows=slice(None)):
        return (self.inputs[rows] @ (weights - self.optimum)).abs().sum()


def test_the_heavy_balls_size_is_the_one_that_ends_nearest_to_the_optimum() -> None:
    problem = _Hinge()
    ends = {}
    for share in (0.99, 1.0, 1.01):
        weights = torch.nn.Parameter(problem.start.clone())
        optimizer: Any = rules.build("alr_hb", [weights], 0.03, beta=0.5, c=1 / share)
        for cap in (0.03, 1e9):  # the first step, which is capped, gives a velocity
            optimizer.param_groups[0]["lr"] = cap
            optimizer.zero_grad()
            optimizer.loss = problem.loss(weights)
            optimizer.loss.backward()
            optimizer.step()
        ends[share] = (weights.detach() - problem.optimum).norm().item()
    assert ends[1.0] < min(ends[0.99], ends[1.01])


def test_the_cap_keeps_the_heavy_ball_from_diverging_on_batches() -> None:
    digits, generator = load_digits(), torch.Generator().manual_seed(0)
    inputs, targets = torch.tensor(digits.data) / 16, torch.tensor(digits.target)
    wrong = torch.rand(len(targets), generator=generator) < 0.2  # so that no batch has loss 0
    targets[wrong] = torch.randint(10, (int(wrong.sum()),), generator=generator)

    def loss(weights, rows):
        return torch.nn.functional.cross_entropy(inputs[rows] @ weights, targets[rows])

    def end(peak: float | None) -> float:
        weights = torch.nn.Parameter(torch.zeros(64, 10, dtype=torch.float64))
        optimizer: Any = rules.build("alr_hb", [weights], peak)
        for step in range(150):
            optimizer.zero_grad()
            optimizer.loss = loss(weights, slice(32 * step % 1760, 32 * step % 1760 + 32))
            optimizer.loss.backward()
            optimizer.step()
        return float(loss(weights.detach(), slice(None)))

    assert end(None) < 1.5  # of 2.3 at the start
    assert end(1e9) > 10


def test_heavy_ball_and_nesterov_are_those_of_torch() -> None:
    """At one size: nesterov's velocity ``v`` is torch's buffer times ``-size``."""
    problem = LeastSquares()
    size = 0.05
    for name, nesterov in (("momsps", False), ("alig", True)):
        peak = size / (1 - 0.5) if name == "momsps" else size  # the caps bind
        way = follow(name, problem, 15, peak=peak / 100, batch=8, beta=0.5)
        weights = torch.nn.Parameter(problem.start.clone())
        sgd = torch.optim.SGD([weights], lr=size / 100, momentum=0.5, nesterov=nesterov)
        for step in range(15):
            begin = 8 * step % 32
            sgd.zero_grad()
            problem.loss(weights, slice(begin, begin + 8)).backward()
            sgd.step()
        torch.testing.assert_close(way[-1], weights.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["momsps", "alr_hb", "alig", "alr_mag", "momo"])
def test_rules_with_momentum_take_no_base(name: str) -> None:
    weights = torch.nn.Parameter(torch.zeros(2))
    with pytest.raises(ConfigError, match="base must be left out"):
        rules.build(name, [weights], base=lambda params: torch.optim.Adam(params))


_POLYAK = [name for name in rules.names() if rules.record(name).family == "polyak"]


@pytest.mark.parametrize("name", _POLYAK)
def test_the_steps_of_a_group_of_a_lower_rate_stay_as_much_smaller(name: str) -> None:
    problem = LeastSquares(noise=0.1)
    parts = [torch.nn.Parameter(problem.start / 2) for _ in range(2)]  # they matter alike
    lower = 0.1 * rules.record(name).peak.default
    groups: list[dict[str, Any]] = [{"params": parts[:1]}, {"params": parts[1:], "lr": lower}]
    optimizer: Any = rules.build(name, groups)
    for step in range(5):
        before = [part.detach().clone() for part in parts]
        optimizer.zero_grad()
        optimizer.loss = problem.loss(parts[0] + parts[1], slice(8 * step % 32, 8 * step % 32 + 8))
        optimizer.loss.backward()
        optimizer.step()
        full, small = (part.detach() - old for part, old in zip(parts, before, strict=True))
        assert full.norm() > 0
        torch.testing.assert_close(small, 0.1 * full, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", _POLYAK)
def test_without_a_slope_nothing_moves(name: str) -> None:
    weights = torch.nn.Parameter(torch.ones(3))
    optimizer: Any = rules.build(name, [weights])
    for _ in range(3):
        weights.grad = torch.zeros(3)
        optimizer.loss = 2.0
        optimizer.step()
    assert torch.equal(weights.detach(), torch.ones(3))
