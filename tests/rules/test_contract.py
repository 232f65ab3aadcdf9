"""What every rule of the catalogue keeps to."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from autolr import rules
from autolr.errors import ConfigError
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot

# Peaks for the least-squares problem below, whose solution is 3 away from the start in each
# weight; rules that are not named here solve it as they come.
_PEAKS = {
    **dict.fromkeys(("adamw", "radam", "adafactor", "adabelief", "adabound", "amsbound"), 0.1),
    **dict.fromkeys(("adamod", "diffgrad", "exadam", "yogi", "schedulefree_adamw"), 0.1),
    **dict.fromkeys(("schedulefree_radam", "muon", "lamb", "hypergradient_adam"), 0.1),
    "lars": 10.0,
    "lion": 0.03,
}
# So that a hundred steps are enough, and the first one is more than rounding.
_SETTINGS: dict[str, dict[str, Any]] = {
    "adamod": {"betas": (0.9, 0.99, 0.99)},
    "dadapt_adagrad": {"d0": 1e-3},
    "dog": {"alpha": 1e-2},
    "ldog": {"alpha": 1e-2},
    "schedulefree_radam": {"silent_sgd_phase": False},
}
_SLOW = {"sania_adagrad": 0.7}  # share of the loss that is left; its steps fall as 1 / t
_CURVED = {"aegd"}  # whose step is no multiple of the rate, by its formula
_NO_ZERO = {"dadapt_sgd": "dadaptation 3.2 divides by the gradients of groups with a rate"}

every_rule = pytest.mark.parametrize("name", rules.names())
Closure = Callable[[], Any]  # what `step` takes is annotated as returning a float


def problem(dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, Closure]:
    """Return a model, and what computes its loss on the next of four batches and its gradients."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 8, generator=generator)
    targets = inputs @ torch.randn(8, 4, generator=generator)
    model = nn.Linear(8, 4)
    nn.init.normal_(model.weight, std=0.1, generator=generator)
    nn.init.zeros_(model.bias)
    model.to(dtype)

    def closure() -> Any:
        model.zero_grad()
        loss: Any = 0.5 * (model(inputs.to(dtype)) - targets.to(dtype)).square().mean()
        loss.backward()
        return loss.detach()

    return model, closure


def built(name: str, params: Any) -> Optimizer:
    return rules.build(name, params, _PEAKS.get(name), **_SETTINGS.get(name, {}))


def trained(steps: int, model: nn.Module, optimizer: Optimizer, closure: Closure) -> list[Any]:
    """Return a copy of the weights after some steps."""
    for _ in range(steps):
        optimizer.step(closure)
    return [parameter.detach().clone() for parameter in model.parameters()]


def equal(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(left, right, strict=True))


@every_rule
def test_a_hundred_steps_take_most_of_the_loss(name: str) -> None:
    model, closure = problem()
    before = closure().item()
    trained(100, model, built(name, model.parameters()), closure)
    assert closure().item() < _SLOW.get(name, 1 / 3) * before


@every_rule
def test_a_rate_of_0_moves_nothing(name: str) -> None:
    if name in _NO_ZERO:
        pytest.skip(_NO_ZERO[name])
    model, closure = problem()
    optimizer = built(name, model.parameters())
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [parameter.detach().clone() for parameter in model.parameters()]
    assert equal(trained(2, model, optimizer, closure), before)


@every_rule
def test_a_group_of_half_the_rate_makes_half_the_step(name: str) -> None:
    start = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    weights = [nn.Parameter(start.clone()) for _ in range(2)]
    peak = _PEAKS.get(name, rules.record(name).peak.default)
    groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": peak / 2}]
    if rules.record(name).one_rate:
        with pytest.raises(ConfigError, match="lr must be the same rate in all groups"):
            built(name, groups)
        return
    optimizer = built(name, groups)

    def closure() -> Any:
        optimizer.zero_grad()
        loss: Any = sum(weight.square().sum() for weight in weights)
        loss.backward()
        return loss.detach()

    optimizer.step(closure)
    moves = [weight.detach() - start for weight in weights]
    assert moves[0].norm() > moves[1].norm() > 0
    if name not in _CURVED:
        torch.testing.assert_close(moves[1], moves[0] / 2, rtol=1e-3, atol=1e-8)


@every_rule
def test_a_run_continues_from_a_checkpoint_bit_for_bit(name: str) -> None:
    model, closure = problem()
    optimizer = built(name, model.parameters())
    trained(5, model, optimizer, closure)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    expected = trained(5, model, optimizer, closure)

    file.seek(0)
    held = torch.load(file, weights_only=True)
    resumed, closure = problem()
    optimizer = built(name, resumed.parameters())
    resumed.load_state_dict(held["model"])
    optimizer.load_state_dict(held["optimizer"])
    assert equal(trained(5, resumed, optimizer, closure), expected)


@every_rule
def test_a_rival_that_is_trained_beside_and_thrown_away_leaves_no_trace(name: str) -> None:
    model, closure = problem()
    expected = trained(20, model, built(name, model.parameters()), closure)

    model, closure = problem()
    optimizer = built(name, model.parameters())
    rates = Rates.of(optimizer)
    trained(5, model, optimizer, closure)
    rival = Snapshot(model, optimizer)
    for _ in range(3):
        with rival.in_place(), rates.multiplied(0.5):
            trained(4, model, optimizer, closure)
        rival.renew()
        trained(5, model, optimizer, closure)
    rates.detach()
    assert equal([parameter.detach() for parameter in model.parameters()], expected)


@every_rule
def test_a_snapshot_continues_as_the_run_did(name: str) -> None:
    model, closure = problem()
    optimizer = built(name, model.parameters())
    trained(5, model, optimizer, closure)
    earlier = Snapshot(model, optimizer)
    expected = trained(5, model, optimizer, closure)
    earlier.exchange()
    assert equal(trained(5, model, optimizer, closure), expected)


@every_rule
def test_weights_in_bfloat16_are_supported(name: str) -> None:
    model, closure = problem(torch.bfloat16)
    optimizer = built(name, model.parameters())
    found = trained(3, model, optimizer, closure)
    assert all(tensor.dtype is torch.bfloat16 and tensor.isfinite().all() for tensor in found)


@every_rule
def test_a_record_says_what_a_rule_is_and_where_it_comes_from(name: str) -> None:
    found = rules.record(name)
    assert found.summary
    assert not found.summary.endswith(".")
    assert len(found.summary) <= 90
    assert any(character.isdigit() for character in found.source)
    assert 0 < found.peak.low <= found.peak.default <= found.peak.high
    assert found.schedules
    if found.rule is not None:
        assert ">>>" in (found.rule.__doc__ or "")
