"""A wide model that is initialized and read out as muP wants it."""

import copy
import pickle

import pytest
import torch
from torch import nn

from autolr.errors import ConfigError
from autolr.rules import mup_groups, mup_initialize


def net(width: int) -> nn.Sequential:
    torch.manual_seed(width)
    return nn.Sequential(
        nn.Embedding(20, width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 5)
    )


def stds(model: nn.Module) -> dict[str, float]:
    return {name: float(each.detach().std()) for name, each in model.named_parameters()}


def test_deviations_follow_from_those_of_the_base() -> None:
    model, base = net(256), net(16)
    mup_initialize(model, base)
    own, narrow = stds(model), stds(base)
    assert own.pop("1.weight") == pytest.approx(narrow.pop("1.weight") / 4)
    assert own == pytest.approx(narrow)  # 0.weight, 1.bias, 3.weight, 3.bias


def test_the_inputs_of_the_readout_alone_are_divided() -> None:
    model = net(64)
    lines = mup_initialize(model, net(16))
    assert [line for line in lines if "divided" in line] == ["3: its inputs are divided by 4"]
    inputs = torch.randn(7, 64)
    head = model[3]
    assert isinstance(head, nn.Linear)
    torch.testing.assert_close(
        head(inputs), nn.functional.linear(inputs / 4, head.weight, head.bias)
    )
    assert model.state_dict().keys() == net(64).state_dict().keys()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        index = torch.arange(20)
        torch.testing.assert_close(twin(index), model(index))


def test_a_readout_that_is_tied_to_the_embedding_is_divided_too() -> None:
    def tied(width: int) -> nn.Module:
        model = nn.ModuleDict({"embed": nn.Embedding(20, width), "head": nn.Linear(width, 20)})
        model["head"].weight = model["embed"].weight
        return model

    assert mup_initialize(tied(64), tied(16))[-1] == "head: its inputs are divided by 4"


def test_with_the_base_itself_nothing_changes() -> None:
    model = net(16)
    assert mup_initialize(model, net(16)) == ()
    assert all(map(torch.equal, model.parameters(), net(16).parameters()))


def test_at_first_and_after_a_step_the_outputs_do_not_grow_with_the_width() -> None:
    index = torch.arange(20)
    moved = {}
    for width in (32, 2048):
        model = net(width)
        mup_initialize(model, net(32))
        optimizer = torch.optim.Adam(mup_groups(model, net(32), "adam", rate=0.01))
        before = model(index)
        torch.autograd.backward(nn.functional.cross_entropy(before, index % 5))
        optimizer.step()
        moved[width] = float((model(index) - before).detach().square().mean().sqrt())
    assert moved[2048] == pytest.approx(moved[32], rel=0.3)


def test_constants_stay() -> None:
    def normed(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, width), nn.LayerNorm(width))

    model = normed(64)
    mup_initialize(model, normed(16))
    assert torch.equal(model.get_parameter("1.weight"), torch.ones(64))
    assert torch.equal(model.get_parameter("1.bias"), torch.zeros(64))


def test_what_cannot_be_changed_is_refused() -> None:
    model = net(64)
    mup_initialize(model, net(16))
    with pytest.raises(ConfigError, match=r"^model must be as it was made: mup_initialize has"):
        mup_initialize(model, net(16))
    with torch.device("meta"):
        base = net(16)
    with pytest.raises(ConfigError, match=r"^base must have its weights, got a model on"):
        mup_initialize(net(64), base)
    with pytest.raises(ConfigError, match=r"^base must be a module of torch, got None"):
        mup_initialize(net(64), None)  # type: ignore[arg-type]
