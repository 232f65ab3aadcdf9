"""Polyak's step: units, convergence where all data can be fitted, caps."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import pytest
import torch

from autolr.rules import Statistics
from autolr.rules.polyak import Sps, SpsSmooth
from tests.rules.convex import LeastSquares, Softmax, distances, follow, written

_UNBOUND = 1e9
_POLYAK = [  # without a cap that binds, and without an eps
    ("sps", 1.0, {"eps": 0.0}),
    ("alig", _UNBOUND, {"eps": 0.0}),
    ("alig", _UNBOUND, {"eps": 0.0, "beta": 0.5}),
    ("alr_mag", 1.0, {"beta": 0.5}),
    ("alr_hb", 1.0, {"beta": 0.5}),
    ("momsps", _UNBOUND, {"beta": 0.5}),
    ("momo", _UNBOUND, {"beta": 0.5}),
]


@pytest.mark.parametrize(("name", "peak", "settings"), _POLYAK)
def test_the_unit_of_the_loss_does_not_matter(name, peak, settings) -> None:
    problem = LeastSquares()
    ways = [
        follow(name, problem, 20, peak=peak, batch=8, loss=lambda f, u=unit: u * f, **settings)
        for unit in (1.0, 1024.0)
    ]
    assert torch.equal(*ways)  # a power of 2 leaves the digits alone


@pytest.mark.parametrize("loss", [0.5, 2.0])
def test_a_size_is_inverse_to_the_unit_of_the_loss(loss: float) -> None:
    sps = Sps(eps=0.0)
    sizes = [
        sps.step(Statistics(0, 1.0, unit * loss, {"g.g": unit**2 * 3.0}), {})[0]
        for unit in (1.0, 10.0)
    ]
    assert sizes[0] == pytest.approx(10 * sizes[1])


@pytest.mark.parametrize(("name", "peak", "settings"), _POLYAK)
def test_a_raised_loss_with_its_lowest_value_known_goes_the_same_way(name, peak, settings) -> None:
    problem = LeastSquares()
    plain = follow(name, problem, 20, peak=peak, batch=8, **settings)
    raised = follow(
        name, problem, 20, peak=peak, batch=8, loss=lambda f: f + 3, f_star=3.0, **settings
    )
    torch.testing.assert_close(raised, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [LeastSquares, Softmax])
@pytest.mark.parametrize(("name", "peak", "settings"), _POLYAK)
def test_a_known_lowest_loss_gives_linear_convergence(make, name, peak, settings) -> None:
    problem = make()
    way = follow(name, problem, 16, peak=peak, f_star=problem.lowest, **settings)
    far, half, near = distances(way, problem.optimum)[[0, 8, 16]]
    assert half < 0.5 * far
    assert near < 0.5 * half


def test_batches_of_data_that_can_be_fitted_lead_ever_closer() -> None:
    problem = LeastSquares()
    away = distances(follow("sps", problem, 200, batch=8, eps=0.0), problem.optimum)
    assert (away[1:] <= away[:-1] * (1 + 1e-12)).all()
    assert away[-1] < 1e-6 * away[0]


@pytest.mark.parametrize("name", ["sps_max", "alig", "alr_smag", "momo", "momo_adam", "momsps"])
def test_a_cap_is_never_exceeded(name: str) -> None:
    rule = written(name)()
    numbers = torch.randn(300, 8, generator=torch.Generator().manual_seed(0)).exp().tolist()
    memory: Any = {}
    for step, (loss, rate, *products) in enumerate(numbers):
        pairs = [pair for pair in rule.needs if pair != "loss"]
        result = dict(zip(pairs, products, strict=False))
        size, memory = rule.step(Statistics(step, rate, loss, result), memory)
        assert 0 <= size <= rate


def test_a_smooth_size_grows_no_faster_than_it_may() -> None:
    rule = SpsSmooth(tau=4.0, batches=2)
    memory: Any = {}
    for step in range(20):
        size, memory = rule.step(Statistics(step, 1.0, 1e9, {"g.g": 1.0}), memory)
        assert size == pytest.approx(2.0 ** (step + 1))


def test_a_batch_that_is_fitted_does_not_stop_a_smooth_rule_for_good() -> None:
    rule = SpsSmooth()
    size, memory = rule.step(Statistics(0, 1.0, 0.0, {"g.g": 1.0}), {})
    assert size == 0
    assert rule.step(Statistics(1, 1.0, 1.0, {"g.g": 1.0}), memory)[0] > 0.9
