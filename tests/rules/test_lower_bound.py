"""A lowest loss that moves: `f_star` as a function of the step."""
# mypy: allow-untyped-calls, allow-untyped-defs

import dataclasses
import math
from functools import partial

import pytest
import torch

from autolr import rules
from autolr.errors import ConfigError
from autolr.rules.catalogue import record

POLYAK = [
    name
    for name in rules.names()
    if (made := record(name).rule) and "f_star" in {f.name for f in dataclasses.fields(made)}  # type: ignore[arg-type]
]


def optimum(step):
    return math.sin(step), 5.0 + math.cos(step)


def offset(step):
    return 3.0 - 0.2 * step


def way(name, f_star, raised, *, peak=None, **settings):
    """Return the weights after each step on 2 |x - optimum(step)|^2 + raised(step)."""
    weights = torch.nn.Parameter(torch.tensor([4.0, -2.0], dtype=torch.float64))
    optimizer = rules.build(name, [weights], peak=peak, f_star=f_star, **settings)
    points = []
    for step in range(12):
        target = torch.tensor(optimum(step), dtype=torch.float64)
        loss = 2 * ((weights - target) ** 2).sum() + raised(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(partial(float, loss.item()))
        points.append(weights.detach().clone())
    return torch.stack(points)


@pytest.mark.parametrize(
    ("name", "c"), [("sps", 0.5), ("sps", 1.0), ("sps_max", 0.5), ("sps_max", 2.0)]
)
def test_on_a_quadratic_whose_optimum_moves_each_step_covers_a_known_share(name, c):
    """With f - f* = h/2 |d|^2 and |g|^2 = h^2 |d|^2 the step h d (f - f*) / (c |g|^2) is d / 2c."""
    actual = way(name, offset, offset, peak=1.0, c=c, eps=0.0)
    expected = torch.tensor([4.0, -2.0], dtype=torch.float64)
    for step, point in enumerate(actual):
        target = torch.tensor(optimum(step), dtype=torch.float64)
        expected = expected - (expected - target) / (2 * c)
        torch.testing.assert_close(point, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", POLYAK)
def test_a_loss_that_is_raised_by_a_moving_amount_goes_the_way_of_the_plain_one(name):
    plain = way(name, 0.0, lambda _: 0.0)
    settings = {"bias_correction": False} if name == "momo" else {}
    if name.startswith("momo"):  # the average of losses is of several steps: a constant amount
        raised = way(name, lambda _: 3.0, lambda _: 3.0, **settings)
    else:
        raised = way(name, offset, offset)
    torch.testing.assert_close(raised, plain, rtol=1e-9, atol=1e-9)
    assert len(POLYAK) > 8


@pytest.mark.parametrize(
    ("f_star", "expected"),
    [
        (lambda: 0.0, "f_star of Sps must be a finite number, or a function of the step"),
        (lambda step: "low", "f_star of Sps must be a finite number, or a function of the step"),
        (lambda step: math.nan, "f_star of Sps must be a finite number, or a function of the step"),
        ("low", "f_star of Sps must be a finite number, or a function of the step"),
    ],
)
def test_what_cannot_work_is_refused_when_the_rule_is_made(f_star, expected):
    with pytest.raises(ConfigError, match=expected):
        rules.build("sps", [torch.nn.Parameter(torch.zeros(1))], f_star=f_star)


def test_a_function_that_fails_later_names_the_step():
    with pytest.raises(ConfigError, match=r"f_star\(4\) must be a finite number, got inf"):
        way("sps", lambda step: math.inf if step == 4 else 0.0, offset)
