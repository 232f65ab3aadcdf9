"""Rates: what is applied stands in the groups, the user's own behind it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch

from autolr import rules
from autolr.errors import ConfigError
from autolr.runtime.optimizer_peaks import customary_peak_of
from autolr.runtime.rates import Rates


class Loud(torch.optim.SGD):
    """Tells with which rates it stepped; raises when asked to."""

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
