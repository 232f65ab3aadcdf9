"""On a convex loss the rules come near the lowest value, which another optimizer found."""

import itertools
from functools import cache, partial
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from autolr import rules
from tests.rules.problems import step

_CASES: dict[str, dict[str, Any]] = {
    "dog": {"alpha": 1e-3},
    "ldog": {"alpha": 1e-3},
    "dowg": {},
    "adagrad_norm": {},
    "hypergradient_sgd": {},
    "hypergradient_adam": {"peak": 1e-2},
    "armijo": {},
    "goldstein": {},
    "adgd": {},
    "smb": {"epoch": 10},
    "aegd": {"peak": 1.0},
}


@cache
def _digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images[:300] / 16).double(), torch.tensor(labels[:300])


def _loss(weights: Tensor, rows: slice = slice(None)) -> Tensor:
    images, labels = (result[rows] for result in _digits())
    return nn.functional.cross_entropy(images @ weights, labels) + 5e-3 * weights.square().sum()


@cache
def _lowest() -> float:
    weights = nn.Parameter(torch.zeros(64, 10, dtype=torch.float64))
    newton = torch.optim.LBFGS(
        [weights], max_iter=300, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )
    step(newton, lambda: _loss(weights))
    return float(_loss(weights.detach()))


@pytest.mark.parametrize("name", _CASES)
def test_whole_batches_come_within_a_20th_of_the_way_of_the_lowest_loss(name: str) -> None:
    weights = nn.Parameter(torch.zeros(64, 10, dtype=torch.float64))
    optimizer: Any = rules.build(name, [weights], **_CASES[name])
    for _ in range(120):
        step(optimizer, lambda: _loss(weights))
    start = float(_loss(torch.zeros_like(weights)))
    with optimizer.averaged():
        gap = float(_loss(weights.detach())) - _lowest()
    assert 0 <= gap < 0.05 * (start - _lowest())


@pytest.mark.parametrize("name", ["armijo", "goldstein"])
def test_searched_steps_on_whole_batches_never_raise_the_loss(name: str) -> None:
    weights = nn.Parameter(torch.zeros(64, 10, dtype=torch.float64))
    optimizer = rules.build(name, [weights])
    losses = [step(optimizer, lambda: _loss(weights)) for _ in range(40)]
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))


@pytest.mark.parametrize("name", [name for name in _CASES if name != "adgd"])
def test_batches_of_50_come_within_a_quarter_of_the_way(name: str) -> None:
    weights = nn.Parameter(torch.zeros(64, 10, dtype=torch.float64))
    optimizer: Any = rules.build(name, [weights], **_CASES[name])
    for count in range(120):
        rows = slice(50 * (count % 6), 50 * (count % 6) + 50)
        step(optimizer, partial(_loss, weights, rows))
    start = float(_loss(torch.zeros_like(weights)))
    with optimizer.averaged():
        gap = float(_loss(weights.detach())) - _lowest()
    assert 0 <= gap < 0.25 * (start - _lowest())
