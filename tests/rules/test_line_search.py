import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autolr import rules
from autolr.errors import ConfigError
from autolr.rng import RngState
from autolr.rules.line_search import Goldstein
from tests.rules.problems import Batches, ones, quadratic, step


@dataclass(frozen=True)
class Made:
    """A step, and what an evaluation of its own found before and after it."""

    loss: float
    after: float
    slope: float
    size: float


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors]).double()


def _made(optimizer: Any, batches: Batches, count: int) -> Made:
    """Make a step; evaluate its batch with its dropout masks before and after it."""
    weights = list(batches.model.parameters())
    before, generators = _flat(weights), RngState.capture()
    loss = batches.loss(count)
    slopes = _flat(list(torch.autograd.grad(loss, weights)))
    left = torch.get_rng_state()
    generators.restore()
    step(optimizer, lambda: batches.loss(count))
    assert torch.equal(torch.get_rng_state(), left)  # as one evaluation leaves it
    assert torch.equal(_flat([weight.grad for weight in weights]), slopes)  # type: ignore[misc]
    generators.restore()
    with torch.no_grad():
        after = float(batches.loss(count))
    move = _flat(weights) - before
    return Made(
        float(loss.detach()), after, float(slopes @ slopes), float(move.norm() / slopes.norm())
    )


def test_each_armijo_step_lowers_the_loss_of_its_batch_enough_under_dropout() -> None:
    batches = Batches()
    optimizer = rules.build("armijo", batches.model.parameters(), c=0.3, epoch=3)
    made = [_made(optimizer, batches, count) for count in range(40)]
    for one in made:
        assert one.after <= one.loss - 0.3 * one.size * one.slope + 1e-6
    assert len({round(one.size, 3) for one in made}) > 5


def test_each_goldstein_step_keeps_both_conditions_under_dropout() -> None:
    batches = Batches()
    optimizer = rules.build("goldstein", batches.model.parameters(), 100.0, c=0.2, epoch=3)
    for count in range(40):
        one = _made(optimizer, batches, count)
        promised = one.size * one.slope
        assert one.loss - 0.8 * promised - 1e-5 <= one.after <= one.loss - 0.2 * promised + 1e-5


def test_goldstein_finds_a_long_step_in_its_first_search() -> None:
    weights = ones(3)
    optimizer = rules.build("goldstein", weights, 1e6, first=1e-3)
    step(optimizer, quadratic(weights, torch.full((3,), 1e-3, dtype=torch.float64)))
    assert 200 <= optimizer.param_groups[0]["memory"]["step"] <= 1800  # 2 c / L to 2 (1 - c) / L


@pytest.mark.parametrize("name", ["armijo", "goldstein"])
def test_no_step_is_longer_than_the_rate(name: str) -> None:
    weights = ones(3)
    optimizer = rules.build(name, weights, peak=0.05)
    loss = quadratic(weights, torch.full((3,), 1.0, dtype=torch.float64))
    for count in range(1, 6):
        step(optimizer, loss)
        assert weights[0].tolist() == pytest.approx([0.95**count] * 3)


@pytest.mark.parametrize("name", ["armijo", "goldstein"])
def test_a_low_rate_of_a_warm_up_does_not_hold_the_later_steps_back(name: str) -> None:
    weights = ones(3)
    optimizer = rules.build(name, weights)
    loss = quadratic(weights, torch.ones(3, dtype=torch.float64))
    for rate, left in ((1e-3, 0.999), (10.0, 0.1)):
        optimizer.param_groups[0]["lr"] = rate
        step(optimizer, loss)
        assert weights[0].abs().max() <= left


@pytest.mark.parametrize("name", ["armijo", "goldstein"])
def test_a_rate_of_0_stops_the_weights_and_is_forgotten(name: str) -> None:
    weights, evaluations = ones(3), []
    optimizer = rules.build(name, weights)
    loss = quadratic(weights, torch.ones(3, dtype=torch.float64))

    def counted() -> Tensor:
        evaluations.append(1)
        return loss()

    optimizer.param_groups[0]["lr"] = 0.0
    step(optimizer, counted)
    assert weights[0].tolist() == [1.0] * 3
    assert len(evaluations) == 1
    optimizer.param_groups[0]["lr"] = 10.0
    step(optimizer, counted)
    assert weights[0].abs().max() < 0.5


@pytest.mark.parametrize("name", ["armijo", "goldstein", "smb"])
def test_the_groups_of_a_lower_rate_are_promised_less(name: str) -> None:
    """The decrease is that of the move that is made, else no step would be enough."""
    weights = ones(2, 2)
    groups = [{"params": weights[:1], "lr": 1e-3}, {"params": weights[1:], "lr": 1.0}]
    optimizer = rules.build(name, groups)
    loss = quadratic(weights, torch.tensor([1.0, 1.0, 1e-3, 1e-3], dtype=torch.float64))
    step(optimizer, loss)
    moved = 1 - weights[0].detach()
    torch.testing.assert_close(
        moved, torch.full((2,), 1e-3, dtype=torch.float64), rtol=0.01, atol=0
    )


@pytest.mark.parametrize("name", ["armijo", "goldstein"])
def test_a_trial_where_the_loss_is_not_finite_is_not_taken(name: str) -> None:
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = rules.build(name, [weight], first=8.0)  # which ends below 0
    losses = [step(optimizer, lambda: (2 * weight - torch.log(weight)).sum()) for _ in range(60)]
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(losses))
    assert weight.item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["armijo", "goldstein", "smb"])
def test_a_closure_that_fails_leaves_the_step_undone(name: str) -> None:
    batches = Batches()
    optimizer = rules.build(name, batches.model.parameters())
    step(optimizer, lambda: batches.loss(0))
    weights, calls = list(batches.model.parameters()), []
    before = _flat(weights)

    def failing() -> Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return batches.loss(1)

    generators = RngState.capture()
    batches.loss(1)
    left = torch.get_rng_state()
    generators.restore()
    with pytest.raises(MemoryError):
        step(optimizer, failing)
    assert torch.equal(_flat(weights), before)
    assert torch.equal(torch.get_rng_state(), left)


def test_most_armijo_steps_need_one_trial() -> None:
    weights, evaluations = ones(5), []
    optimizer = rules.build("armijo", weights)
    loss = quadratic(weights, torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64))

    def counted() -> Tensor:
        evaluations.append(1)
        return loss()

    for _ in range(50):
        step(optimizer, counted)
    assert len(evaluations) < 2.3 * 50


@pytest.mark.parametrize("settings", [{"shrink": 1}, {"c": 0.5}, {"shrink": 0}])
def test_shares_at_which_no_search_ends_are_refused(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=rf"{name} of Goldstein must be a number within \(0, "):
        rules.check_settings("goldstein", settings)


def test_the_settings_of_goldstein_keep_their_names() -> None:
    settings = ["c", "shrink", "stretch", "grow", "epoch", "first", "tries"]
    assert list(Goldstein().settings()) == settings
