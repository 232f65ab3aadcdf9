"""Rates: what is applied stands in the groups, the user's own behind it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import math
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

from autolr import rules
from autolr.errors import ConfigError
from autolr.runtime.optimizer_peaks import customary_peak_of
from autolr.runtime.rates import Rates, resume


class Loud(torch.optim.SGD):
    """Records the rates of its steps; raises on request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.used = []
        self.broken = False

    def step(self, closure=None):
        self.used.append([group["lr"] for group in self.param_groups])
        if self.broken:
            raise RuntimeError("broken")


@pytest.fixture
def optimizer():
    slow, fast = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    return Loud([{"params": [slow], "lr": 0.01}, {"params": [fast], "lr": 0.1}], lr=1.0)


def lrs(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def test_the_multiplied_rates_stand_in_the_groups_and_a_step_uses_them(optimizer):
    rates = Rates.of(optimizer)
    rates.factor = 0.5
    assert lrs(optimizer) == [0.005, 0.05]
    optimizer.step()
    assert optimizer.used == [[0.005, 0.05]]
    assert [type(rate) for rate in optimizer.used[0]] == [float, float]
    assert lrs(optimizer) == [0.005, 0.05]
    rates.detach()
    assert lrs(optimizer) == [0.01, 0.1]


def test_detached_rates_may_stay_as_plain_numbers(optimizer):
    rates = Rates.of(optimizer)
    rates.factor = 0.5
    rates.detach(keep=True)
    assert lrs(optimizer) == [0.005, 0.05]
    assert [type(rate) for rate in lrs(optimizer)] == [float, float]


def test_the_ratios_of_the_groups_are_kept_and_the_base_is_the_highest(optimizer):
    rates = Rates.of(optimizer)
    assert rates.base == 0.1
    rates.factor = 0.3 / rates.base
    optimizer.step()
    ((slow, fast),) = optimizer.used
    assert fast == pytest.approx(0.3, rel=1e-15)  # the peak is the highest group's
    assert fast / slow == pytest.approx(10, rel=1e-15)


def test_the_rates_are_put_back_when_a_step_raises(optimizer):
    rates = Rates.of(optimizer)
    optimizer.broken = True
    with pytest.raises(RuntimeError, match="broken"), rates.multiplied(7.0):
        optimizer.step()
    assert lrs(optimizer) == [0.01, 0.1]  # at the factor of 1 before the block
    rates.factor = 3.0
    for _ in range(2):  # nor do the factors of two broken steps pile up
        with pytest.raises(RuntimeError, match="broken"):
            optimizer.step()
    rates.detach()
    assert lrs(optimizer) == [0.01, 0.1]
    assert optimizer.used[1:] == [[pytest.approx(0.03), pytest.approx(0.3)]] * 2


def test_a_factor_of_a_block_ends_with_it(optimizer):
    rates = Rates.of(optimizer)
    rates.factor = 2.0
    with rates.multiplied(0.5):
        optimizer.step()
    optimizer.step()
    assert optimizer.used == [[0.005, 0.05], [0.02, 0.2]]


def test_a_factor_of_one_changes_no_bit(optimizer):
    optimizer.param_groups[0]["lr"] = 1 / 3
    Rates.of(optimizer)
    optimizer.step()
    assert optimizer.used == [[1 / 3, 0.1]]


def test_a_scheduler_of_torch_continues_undisturbed(optimizer):
    rates = Rates.of(optimizer)
    rates.factor = 0.5
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert [fast for _, fast in optimizer.used] == [0.05, 0.025, 0.0125]
    rates.detach()
    assert lrs(optimizer) == [0.00125, 0.0125]


def test_a_rate_that_is_a_tensor_is_the_same_tensor_after_the_step():
    rate = torch.tensor(0.1)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=rate, capturable=False, foreach=False)
    weight.grad = torch.ones(1)
    rates = Rates.of(optimizer)
    rates.factor = 0.5
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(0.05)
    rates.detach()
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(0.1)
    assert weight.item() == pytest.approx(-0.05, rel=1e-5)  # Adam's first step is its rate


def test_there_is_one_set_of_rates_an_optimizer_and_detaching_leaves_none(optimizer):
    rates = Rates.of(optimizer)
    assert Rates.of(optimizer) is rates
    rates.factor = 9.0
    rates.detach()
    rates.detach()
    optimizer.step()
    assert optimizer.used == [[0.01, 0.1]]
    assert Rates.of(optimizer) is not rates


@pytest.mark.parametrize("rate", [0.0, math.inf, math.nan])
def test_an_optimizer_without_a_positive_finite_rate_is_refused(rate):
    with pytest.raises(ConfigError, match="the optimizer's lr must be a positive number"):
        Rates.of(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate))


def test_each_optimizer_has_its_customary_peak_and_an_unknown_one_has_none(optimizer):
    weights = [torch.zeros(1, requires_grad=True)]
    assert customary_peak_of(torch.optim.SGD(weights, lr=3.0)) == 0.1
    assert customary_peak_of(torch.optim.AdamW(weights, lr=3.0)) == 1e-3
    assert customary_peak_of(rules.build("sps_max", weights)) == 1.0
    assert customary_peak_of(rules.build("momo_adam", weights)) == 0.01
    assert customary_peak_of(rules.build("prodigy", weights)) == 1.0
    assert customary_peak_of(optimizer) is None


def test_a_base_that_is_given_counts_for_all_who_share_the_rates(optimizer):
    rates = Rates.of(optimizer)
    assert rates.base == 0.1
    assert Rates.of(optimizer, 2.0) is rates
    assert rates.base == 2.0
    assert Rates.of(optimizer).base == 2.0
    rates.detach()


def test_a_rate_of_zero_is_supported_if_a_base_is_given():
    warming_up = torch.optim.SGD([torch.zeros(1)], lr=0.0)
    assert Rates(warming_up, base=0.5).base == 0.5


def test_the_rate_that_was_applied_last_is_known(optimizer):
    rates = Rates(optimizer)
    assert math.isnan(rates.applied)
    with rates.multiplied(3.0):
        optimizer.step()
    assert rates.applied == pytest.approx(0.3, rel=1e-12)


# --- what other code writes


def scaled(optimizer, factor=4.0):
    rates = Rates.of(optimizer)
    rates.factor = factor
    return rates


def test_a_number_that_is_written_is_the_own_rate(optimizer):
    rates = scaled(optimizer)
    optimizer.param_groups[1]["lr"] = 0.02
    optimizer.step()
    assert optimizer.used == [[0.04, 0.08]]
    assert rates.written == (0.1, 0.02)
    rates.detach()
    assert lrs(optimizer) == [0.01, 0.02]


@pytest.mark.parametrize(
    ("change", "own"),
    [
        (lambda rate: rate * 0.5, 0.05),
        (lambda rate: 0.5 * rate, 0.05),
        (lambda rate: rate / 2, 0.05),
        (lambda rate: rate - 0.2, 0.05),
        (lambda rate: 0.6 - rate, 0.05),
        (lambda rate: rate + 0.4, 0.2),
        (lambda rate: rate + (0.0 - rate) * 0.5, 0.05),
        (lambda rate: max(rate * 0.5, 1e-6), 0.05),
    ],
)
def test_a_number_that_is_computed_from_the_applied_rate_changes_the_own_one(
    change, own, optimizer
):
    rates = scaled(optimizer)
    group = optimizer.param_groups[1]
    group["lr"] = change(group["lr"])
    optimizer.step()
    assert optimizer.used[0][1] == pytest.approx(4 * own, rel=1e-12)
    rates.detach()
    assert lrs(optimizer)[1] == pytest.approx(own, rel=1e-12)


def test_what_is_computed_at_a_factor_of_zero_keeps_an_own_rate(optimizer):
    rates = scaled(optimizer, 0.0)
    assert lrs(optimizer) == [0.0, 0.0]
    optimizer.param_groups[1]["lr"] *= 0.5
    rates.factor = 2.0
    assert lrs(optimizer) == [0.02, 0.1]


def test_an_applied_rate_is_copied_and_stored_as_a_plain_number(optimizer):
    scaled(optimizer)
    rate = optimizer.param_groups[1]["lr"]
    for copied in (copy.copy(rate), copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert (type(copied), copied) == (float, 0.4)
    stored = optimizer.state_dict()["param_groups"]
    assert [type(group["lr"]) for group in stored] == [float, float]


def test_a_rate_that_the_closure_writes_is_multiplied_for_its_step():
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    rates = scaled(optimizer)
    seen = []

    def closure():
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.param_groups[0]["lr"] = 0.25 * (1 + len(seen))
        weight.grad = torch.ones(1)
        return 0.0

    optimizer.step(closure)
    assert (weight.item(), rates.applied) == (-2.0, 2.0)
    optimizer.step(closure=closure)
    assert (weight.item(), rates.applied) == (-5.0, 3.0)
    assert seen == [4.0, 2.0]


def test_a_line_search_that_evaluates_its_closure_again_gets_the_same_rate():
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], lr=0.1, max_iter=4)
    rates = scaled(optimizer)
    seen = []

    def closure():
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert len(seen) > 1
    assert set(seen) == {0.4}
    assert (rates.applied, rates.written) == (0.4, None)


def test_a_step_within_the_step_of_a_subclass_is_multiplied_once():
    torch.optim.SGD([torch.zeros(1)], lr=1.0)  # from now on its own step calls the hooks too
    weight = torch.zeros(1, requires_grad=True)

    class Inner(torch.optim.SGD):
        def step(self, closure=None):
            with torch.enable_grad():
                loss = closure()
            super().step()
            return loss

    optimizer = Inner([weight], lr=0.5)
    rates = scaled(optimizer)
    for _ in range(2):
        optimizer.step(lambda: weight.sum().backward() or 0.0)
        weight.grad = None
    assert weight.item() == -4.0
    assert (rates.applied, lrs(optimizer)) == (2.0, [2.0])


def test_a_group_that_is_added_gets_the_factor(optimizer):
    scaled(optimizer)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.5})
    optimizer.step()
    assert optimizer.used == [[0.04, 0.4, 2.0]]
    assert Rates.of(optimizer).written is None


@pytest.mark.parametrize(
    ("change", "own"),
    [(lambda rate: rate.mul_(0.5), 0.05), (lambda rate: rate.fill_(0.08), 0.08)],
    ids=["scaled", "set"],
)
def test_a_tensor_that_is_written_in_place_is_scaled_or_set(change, own):
    rate = torch.tensor(0.1)
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=rate, foreach=False)
    rates = scaled(optimizer, 16.0)
    change(rate)
    optimizer.step()
    assert rates.applied == pytest.approx(16 * own, rel=1e-6)
    rates.detach()
    assert float(rate) == pytest.approx(own, rel=1e-6)


def test_rates_are_restored_from_a_checkpoint_where_it_still_counts(optimizer):
    rates = scaled(optimizer)
    pairs = rates.pairs
    assert pairs == [[0.01, 0.04], [0.1, 0.4]]
    rates.detach(keep=True)
    optimizer.param_groups[1]["lr"] = 0.3  # set since then
    resume(optimizer, pairs)
    assert lrs(optimizer) == [0.01, 0.3]


@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.StepLR(o, 2, 0.5),
        lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.9),
        lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=5),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 10, eta_min=0.001),
        lambda o: lr_scheduler.PolynomialLR(o, 10),
        lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
        lambda o: lr_scheduler.OneCycleLR(o, [0.01, 0.1], total_steps=12),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, eta_min=0.001),
        lambda o: lr_scheduler.ChainedScheduler(
            [lr_scheduler.ConstantLR(o, 0.5, 3), lr_scheduler.ExponentialLR(o, 0.9)]
        ),
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.2, total_iters=3), lr_scheduler.ExponentialLR(o, 0.8)],
            [3],
        ),
    ],
)
def test_a_scheduler_that_steps_with_its_own_rates_is_the_same_as_without_us(make):
    def groups():
        weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        return [{"params": [w], "lr": lr} for w, lr in zip(weights, (0.01, 0.1), strict=True)]

    plain, ours = (torch.optim.SGD(groups(), momentum=0.9) for _ in range(2))
    schedulers = make(plain), make(ours)
    rates = Rates.of(ours)
    for step in range(10):
        rates.factor = factor = 2.0**step
        assert [rate / factor for rate in lrs(ours)] == lrs(plain)
        plain.step()
        ours.step()
        schedulers[0].step()
        with rates.own_in_place():
            schedulers[1].step()
    rates.detach()
    assert lrs(ours) == lrs(plain)
    assert rates.written is None
