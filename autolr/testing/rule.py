"""What every rule must do: a test class to inherit."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from autolr import rules
from autolr.errors import ConfigError
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot

Closure = Callable[[], Any]  # torch annotates what `step` takes as returning a float


@dataclass(frozen=True)
class RuleCase:
    """How a rule is tested on a least-squares problem whose solution is 3 away in each weight.

    Args:
        name: Of the rule.
        peak: Rate for that problem; None: the rule's default.
        settings: Of the rule, for that problem.
        remaining: Largest share of the loss after 100 steps.
        is_linear: Whether half the rate makes half the step.
        no_zero_rate: Why the rule cannot make a step at a rate of 0; "" if it can.
    """

    name: str
    peak: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    remaining: float = 1 / 3
    is_linear: bool = True
    no_zero_rate: str = ""

    def build(self, params: Any) -> Optimizer:
        """Return the rule's optimizer for parameters, or groups of them."""
        return rules.build(self.name, params, self.peak, **self.settings)


def problem(dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, Closure]:
    """Return a model, and what computes its loss on 64 samples and its gradients."""
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


def trained(steps: int, model: nn.Module, optimizer: Optimizer, closure: Closure) -> list[Any]:
    """Make some steps, and return a copy of the weights after them.

    Args:
        steps: How many.
        model: The model.
        optimizer: Over its parameters.
        closure: Computes its loss and gradients.
    """
    for _ in range(steps):
        optimizer.step(closure)
    return [parameter.detach().clone() for parameter in model.parameters()]


def equal(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    """Return whether two lists of tensors are equal bit for bit.

    Args:
        left: Tensors.
        right: As many.
    """
    return all(torch.equal(one, other) for one, other in zip(left, right, strict=True))


class RuleContract:
    """The tests of a rule. Experimental: may change in a minor version.

    A subclass named ``Test...`` gives the case to test:

        class TestMine(RuleContract):
            @pytest.fixture
            def case(self):
                return RuleCase("mine", peak=0.1)
    """

    @pytest.fixture
    def case(self) -> RuleCase:
        """Return the rule to test, and how."""
        raise NotImplementedError("override the fixture `case`")

    def test_a_hundred_steps_take_most_of_the_loss(self, case: RuleCase) -> None:
        model, closure = problem()
        before = closure().item()
        trained(100, model, case.build(model.parameters()), closure)
        assert closure().item() < case.remaining * before

    def test_a_rate_of_0_moves_nothing(self, case: RuleCase) -> None:
        if case.no_zero_rate:
            pytest.skip(case.no_zero_rate)
        model, closure = problem()
        optimizer = case.build(model.parameters())
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        before = [parameter.detach().clone() for parameter in model.parameters()]
        assert equal(trained(2, model, optimizer, closure), before)

    def test_a_group_of_half_the_rate_makes_half_the_step(self, case: RuleCase) -> None:
        start = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
        weights = [nn.Parameter(start.clone()) for _ in range(2)]
        record = rules.record(case.name)
        peak = record.peak.default if case.peak is None else case.peak
        groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": peak / 2}]
        if record.one_rate:
            with pytest.raises(ConfigError, match="lr must be the same rate in all groups"):
                case.build(groups)
            return
        optimizer = case.build(groups)

        def closure() -> Any:
            optimizer.zero_grad()
            loss: Any = sum(weight.square().sum() for weight in weights)
            loss.backward()
            return loss.detach()

        optimizer.step(closure)
        moves = [weight.detach() - start for weight in weights]
        assert moves[0].norm() > moves[1].norm() > 0
        if case.is_linear:
            torch.testing.assert_close(moves[1], moves[0] / 2, rtol=1e-3, atol=1e-8)

    def test_a_run_resumes_from_a_checkpoint_bit_for_bit(self, case: RuleCase) -> None:
        model, closure = problem()
        optimizer = case.build(model.parameters())
        trained(5, model, optimizer, closure)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        expected = trained(5, model, optimizer, closure)

        file.seek(0)
        stored = torch.load(file, weights_only=True)
        resumed, closure = problem()
        optimizer = case.build(resumed.parameters())
        resumed.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        assert equal(trained(5, resumed, optimizer, closure), expected)

    def test_a_rival_that_is_trained_beside_and_thrown_away_leaves_no_trace(
        self, case: RuleCase
    ) -> None:
        model, closure = problem()
        expected = trained(20, model, case.build(model.parameters()), closure)

        model, closure = problem()
        optimizer = case.build(model.parameters())
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

    def test_a_snapshot_continues_as_the_run_did(self, case: RuleCase) -> None:
        model, closure = problem()
        optimizer = case.build(model.parameters())
        trained(5, model, optimizer, closure)
        earlier = Snapshot(model, optimizer)
        expected = trained(5, model, optimizer, closure)
        earlier.exchange()
        assert equal(trained(5, model, optimizer, closure), expected)

    def test_weights_in_bfloat16_are_supported(self, case: RuleCase) -> None:
        model, closure = problem(torch.bfloat16)
        weights = trained(3, model, case.build(model.parameters()), closure)
        assert all(one.dtype is torch.bfloat16 and one.isfinite().all() for one in weights)

    def test_a_record_says_what_a_rule_is_and_where_it_comes_from(self, case: RuleCase) -> None:
        record = rules.record(case.name)
        assert record.summary
        assert not record.summary.endswith(".")
        assert len(record.summary) <= 90  # `autolr rules` prints it in one line
        assert any(character.isdigit() for character in record.source)
        assert 0 < record.peak.low <= record.peak.default <= record.peak.high
        assert record.schedules
        if record.rule is not None:
            assert ">>>" in (record.rule.__doc__ or "")
