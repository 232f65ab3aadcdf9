"""Parts of tensors that a process holds, on a mesh of one process."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from autolr.runtime.average import Average
from autolr.runtime.exchange import gather_back, is_sharded, joined, local, locals_of
from autolr.runtime.plain import packed, size, unpacked
from autolr.runtime.snapshot import Snapshot


@pytest.fixture
def mesh():
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


@pytest.fixture
def model(mesh):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    fully_shard(model, mesh=mesh)
    return model


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()


def values(model):
    return [local(parameter.detach()).clone() for parameter in model.parameters()]


def test_two_exchanges_leave_weights_and_momenta_in_the_memory_that_others_hold(model):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    step(model, optimizer)
    places = [local(parameter).data_ptr() for parameter in model.parameters()]
    copy, before = Snapshot(model, optimizer), values(model)
    with copy.in_place():
        step(model, optimizer)
        trained = values(model)
    assert all(map(torch.equal, values(model), before))
    step(model, optimizer)  # from the same weights and momenta
    assert all(map(torch.equal, values(model), trained))
    assert [local(parameter).data_ptr() for parameter in model.parameters()] == places


def test_a_forward_pass_alone_does_not_hide_weights_that_change_places(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    average = Average(model, optimizer, window=1)
    average.add()
    batch = torch.ones(2, 3)
    with torch.no_grad():
        expected = model(batch)
    gather_back(model)
    step(model, optimizer)
    with average.in_place(lambda: None), torch.no_grad():
        assert torch.equal(model(batch), expected)
        gather_back(model)


def test_a_tensor_is_joined_as_its_parameter_is_distributed(mesh):
    parameter: Any = nn.Parameter(
        distribute_tensor(torch.arange(6.0).reshape(3, 2), mesh, [Shard(0)])
    )
    state: dict[str, Any] = {
        "momentum": parameter.detach() * 2,
        "step": torch.tensor(3.0),
        "none": None,
    }
    assert is_sharded(parameter)
    assert size(state) == 6 * 4 + 4
    stored = unpacked(packed(state), torch.device("cpu"))
    back = joined(stored, parameter)
    assert isinstance(back["momentum"], DTensor)
    assert back["momentum"].placements == parameter.placements
    assert torch.equal(local(back["momentum"]), local(state["momentum"]))
    assert locals_of(torch.ones(2)).tolist() == [1, 1]
    assert (back["step"], back["none"]) == (torch.tensor(3.0), None)
