"""An optimizer of several rules: which one steps is a part of its state."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import pickle

import pytest
import torch
from torch import nn

from autolr import rules
from autolr.errors import ConfigError
from autolr.rules.switching import Switching, begin_rule, rule_optimizer_of
from autolr.runtime.snapshot import Snapshot

SETTINGS = {"sps_max": {"c": 1.0}, "dog": {"alpha": 1e-2}}
BATCHES = torch.randn(12, 8, 5, generator=torch.Generator().manual_seed(1))


def begun():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    groups = [
        {"params": model[0].parameters(), "lr": 0.025, "weight_decay": 0.01},
        {"params": model[2].parameters()},
    ]
    return model, torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def train(model, optimizer, batches=BATCHES):
    for batch in batches:

        def closure(batch=batch):
            optimizer.zero_grad()
            loss = ((model(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
            loss.backward()
            return loss

        optimizer.step(closure)


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def alone(rule):
    """Return the weights of a run by one rule and nothing else."""
    model, own = begun()
    train(model, rules.in_place_of(own, rule, **SETTINGS.get(rule, {})))
    return weights(model)


@pytest.mark.parametrize("rule", ["fixed", *SETTINGS])
def test_each_rule_steps_as_its_own_optimizer_does(rule):
    model, own = begun()
    optimizer = Switching(own, SETTINGS)
    begin_rule(optimizer, rule)
    train(model, optimizer)
    assert all(map(torch.equal, weights(model), alone(rule)))
    assert (rule_optimizer_of(optimizer) is None) == (rule == "fixed")


@pytest.mark.parametrize("rule", ["fixed", *SETTINGS])
@pytest.mark.parametrize("active", ["fixed", *SETTINGS])
def test_a_group_that_joins_is_stepped_by_each_rule_at_the_same_share_of_its_rate(rule, active):
    groups = []
    for joins in (False, True):
        model, own = begun()
        first, *rest = own.param_groups[0]["params"]
        if joins:
            own.param_groups[0]["params"] = [first]
            optimizer = Switching(own, SETTINGS)
            begin_rule(optimizer, active)
            rate = optimizer.param_groups[0]["lr"] / 4
            optimizer.add_param_group({"params": rest, "lr": rate})
            begin_rule(optimizer, rule)
        else:
            own.param_groups[0]["params"] = [first]
            own.add_param_group({"params": rest, "lr": own.param_groups[0]["lr"] / 4})
            optimizer = rules.in_place_of(own, rule, **SETTINGS.get(rule, {}))
        train(model, optimizer)
        groups.append(weights(model))
    assert all(map(torch.equal, *groups))


def test_a_rule_that_begins_later_knows_nothing_of_the_one_before():
    model, own = begun()
    optimizer, first = Switching(own, SETTINGS), weights(model)
    for rule in ("fixed", "dog", "fixed"):
        begin_rule(optimizer, rule)
        for parameter, start in zip(model.parameters(), first, strict=True):
            parameter.data = start.clone()
        train(model, optimizer)
        assert all(map(torch.equal, weights(model), alone(rule)))


def test_a_snapshot_exchanges_the_rule_with_the_state():
    model, own = begun()
    optimizer = Switching(own, SETTINGS)
    rivals = {rule: Snapshot(model, optimizer) for rule in SETTINGS}
    for rule, rival in rivals.items():
        with rival.in_place():
            begin_rule(optimizer, rule)
    for batch in BATCHES:
        train(model, optimizer, [batch])
        for rival in rivals.values():
            with rival.in_place():
                train(model, optimizer, [batch])
    assert optimizer.rule == "fixed"
    assert all(map(torch.equal, weights(model), alone("fixed")))
    for rule, rival in rivals.items():
        with rival.in_place():
            assert optimizer.rule == rule
            assert all(map(torch.equal, weights(model), alone(rule)))


@pytest.mark.parametrize("rule", ["fixed", *SETTINGS])
def test_a_checkpoint_holds_the_rule(rule, tmp_path):
    model, own = begun()
    optimizer = Switching(own, SETTINGS)
    begin_rule(optimizer, rule)
    train(model, optimizer, BATCHES[:5])
    torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / "kept")
    held, stored = torch.load(tmp_path / "kept", weights_only=True)
    again, own = begun()
    resumed = Switching(own, SETTINGS)
    again.load_state_dict(held)
    resumed.load_state_dict(stored)
    train(again, resumed, BATCHES[5:])
    assert all(map(torch.equal, weights(again), alone(rule)))


def test_the_optimizer_of_the_last_rule_continues_by_itself():
    model, own = begun()
    optimizer = Switching(own, SETTINGS)
    train(model, optimizer, BATCHES[:5])
    left = optimizer.settle()
    assert left is own
    train(model, left, BATCHES[5:])
    assert all(map(torch.equal, weights(model), alone("fixed")))
    plain = begun()[1].param_groups
    assert [group.keys() for group in left.param_groups] == [group.keys() for group in plain]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_is_whole(copied):
    model, own = begun()
    optimizer = Switching(own, SETTINGS)
    begin_rule(optimizer, "dog")
    train(model, optimizer, BATCHES[:5])
    model, optimizer = copied((model, optimizer))
    train(model, optimizer, BATCHES[5:])
    assert all(map(torch.equal, weights(model), alone("dog")))


def test_the_bases_are_the_highest_rates_of_each_rule():
    _, own = begun()
    assert Switching(own, SETTINGS).bases == {"fixed": 0.1, "sps_max": 1.0, "dog": 1.0}


def test_what_cannot_be_built_or_loaded_is_refused_in_a_line():
    _, own = begun()
    with pytest.raises(ConfigError, match="alfa"):
        Switching(own, {"dog": {"alfa": 1}})
    stored = Switching(own, {"ldog": {}})
    stored.begin("ldog")
    with pytest.raises(ConfigError, match="got 'ldog'"):
        Switching(begun()[1], SETTINGS).load_state_dict(stored.state_dict())
    with pytest.raises(ConfigError, match="the optimizer's lr"):
        Switching(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.0), SETTINGS)
