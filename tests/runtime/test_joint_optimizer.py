"""Several optimizers as one: groups, states, copies and rates."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch
from torch import nn

import autolr
from autolr.runtime.joint_optimizer import JointOptimizer, name_of, parts_of
from autolr.runtime.optimizer_peaks import prior_of, users_rate
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.structure import keyed_groups
from autolr.runtime.torch_learner import TorchLearner
from tests.callbacks.runs import differences


class Counting(torch.optim.SGD):
    """Keeps a number of its own beside its groups, which sets its steps."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made = 0

    def step(self, closure=None):
        self.made += 1
        self.state["texts"] = {"made": torch.tensor(float(self.made))}
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data -= group["lr"] / self.made * parameter.grad


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


@pytest.fixture
def joint(model):
    """Return two optimizers that share the weights of the last layer, the first listed last."""
    first, last = model[0], model[2]
    adam = torch.optim.AdamW([{"params": last.parameters()}, {"params": first.parameters()}], 1e-3)
    momentum = torch.optim.SGD(last.parameters(), lr=0.02, momentum=0.9)
    return JointOptimizer.of([adam, momentum])


def train(model, optimizer, steps):
    data = torch.Generator().manual_seed(1)
    for _ in range(steps):
        inputs = torch.randn(8, 4, generator=data)
        optimizer.zero_grad()
        (model(inputs) - inputs.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()


def left(model, optimizer):
    parts = [part.state_dict() for part in parts_of(optimizer)]
    return copy.deepcopy([model.state_dict(), parts, [list(p.state) for p in parts_of(optimizer)]])


def test_one_optimizer_is_seen_as_it_is_and_several_by_their_very_groups(joint):
    adam, momentum = joint.parts
    assert JointOptimizer.of([adam]) is adam
    groups = [*adam.param_groups, *momentum.param_groups]
    assert all(a is b for a, b in zip(joint.param_groups, groups, strict=True))
    assert JointOptimizer.of([adam, momentum]) == joint
    assert JointOptimizer.of([momentum, adam]) != joint
    assert name_of(joint) == "AdamW and SGD"


def test_two_groups_with_the_same_first_parameter_are_told_apart(joint):
    assert list(map(id, keyed_groups(joint).values())) == list(map(id, joint.param_groups))


def test_the_state_of_each_parameter_goes_to_the_optimizer_that_has_it(model, joint):
    train(model, joint, 1)
    before = left(model, joint)
    adam, momentum = joint.parts
    held = dict(joint.state)
    assert len(held) == len(adam.state) + len(momentum.state) == 6
    joint.state.clear()
    assert list(adam.state) == list(momentum.state) == []
    joint.state.update(held)
    assert differences(left(model, joint), before) == []


@pytest.mark.parametrize("begun", [0, 3])
def test_a_copy_of_several_optimizers_replays_bit_for_bit_also_where_they_share_weights(
    model, joint, begun
):
    train(model, joint, begun)
    before = left(model, joint)
    copied = Snapshot(model, joint)
    train(model, joint, 4)
    after = left(model, joint)
    copied.exchange()
    assert differences(left(model, joint), before) == []
    train(model, joint, 4)
    assert differences(left(model, joint), after) == []
    copied.exchange()
    assert differences(left(model, joint), after) == []


def test_a_copy_goes_through_a_checkpoint_with_the_states_of_shared_weights(model, joint):
    train(model, joint, 3)
    copied = Snapshot(model, joint)
    stored = copied.state_dict(gradients=True)
    before = left(model, joint)
    fresh = Snapshot(model, joint)
    train(model, joint, 2)
    for part in joint.parts:
        part.state.clear()
    fresh.load_state_dict(stored)
    fresh.exchange()
    assert differences(left(model, joint), before) == []


def test_what_each_optimizer_keeps_in_attributes_belongs_to_a_copy(model):
    joint = JointOptimizer(
        [Counting(model[0].parameters(), 0.1), Counting(model[2:].parameters(), 0.1)]
    )
    train(model, joint, 2)
    copied = Snapshot(model, joint)
    train(model, joint, 3)
    with copied.in_place():
        assert [part.made for part in joint.parts] == [2, 2]
        assert [part.state["texts"]["made"].item() for part in joint.parts] == [2.0, 2.0]
    assert [part.made for part in joint.parts] == [5, 5]


def lrs(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


def test_one_factor_multiplies_the_rates_of_all_and_their_ratios_stay(model, joint):
    rates = Rates.of(joint)
    assert rates.base == 0.02
    rates.factor = 0.5
    assert lrs(joint) == [5e-4, 5e-4, 0.01]
    with rates.multiplied(2.0):
        assert lrs(joint) == [2e-3, 2e-3, 0.04]
        train(model, joint, 1)
        assert rates.applied == 0.04
    assert lrs(joint) == [5e-4, 5e-4, 0.01]
    assert Rates.of(JointOptimizer.of(joint.parts)) is rates
    rates.detach()
    assert lrs(joint) == [1e-3, 1e-3, 0.02]


def test_the_applied_rate_is_of_those_that_stepped_in_the_same_turn(model, joint):
    adam, momentum = joint.parts
    rates = Rates.of(joint)
    with rates.multiplied(8.0):  # a rival
        momentum.step()
    rates.factor = 0.5
    adam.step()
    assert rates.applied == 5e-4
    momentum.step()
    assert rates.applied == 0.01


def test_what_other_code_writes_into_one_of_them_is_an_own_rate(model, joint):
    rates = Rates.of(joint)
    rates.factor = 0.5
    joint.parts[1].param_groups[0]["lr"] = 0.04
    rates.factor = 0.25
    assert lrs(joint) == [2.5e-4, 2.5e-4, 0.01]
    assert rates.written == (0.02, 0.04)


def test_a_search_lies_around_the_rates_that_the_user_has_set_for_several(joint):
    rates = Rates.of(joint)
    assert prior_of(rates) == users_rate(joint, rates) == 0.02


def test_a_loop_of_ones_own_searches_over_several_optimizers(model):
    muon = torch.optim.Muon([model[0].weight], lr=0.02)
    rest = [model[0].bias, *model[2].parameters()]
    joint = JointOptimizer.of([muon, torch.optim.AdamW(rest, lr=3e-3)])
    data = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))

    def loss(net, batch):
        return (net(batch) - batch.sum(1, keepdim=True)).square().mean()

    learner = TorchLearner(model, joint, [data], loss, validate=lambda net: loss(net, data).item())
    result = autolr.search(learner, 40)
    assert result.compared
    applied = [group["lr"] for group in joint.param_groups]
    assert applied[0] / applied[1] == pytest.approx(0.02 / 3e-3)
