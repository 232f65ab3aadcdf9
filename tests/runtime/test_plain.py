"""What a checkpoint holds of values, and where they lie when they come back."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import io
import random
from collections import OrderedDict, deque

import numpy as np
import pytest
import torch
from torch import nn

from autolr.rng import RngState
from autolr.runtime.attributes import Attributes
from autolr.runtime.plain import is_plain, packed, size, unpacked

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")
PLAIN: list[object] = [
    None,
    True,
    3,
    0.5,
    "name",
    torch.ones(2),
    [1, (2.0, {"a": torch.zeros(1)})],
    {},
]
OTHERS: list[object] = [
    nn.Parameter(torch.ones(1)),
    deque([1]),
    OrderedDict(a=1),
    np.float64(1.0),
    np.ones(2),
    {(1, 2): 3},
    [object()],
    torch.Size([2]),
]


def through_a_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_is_plain_comes_back_from_a_safe_checkpoint_as_it_was(value):
    assert is_plain(value)
    back = unpacked(through_a_file(packed(value)), CPU)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


@pytest.mark.parametrize("value", OTHERS, ids=range(len(OTHERS)))
def test_what_would_not_is_not_plain(value):
    assert not is_plain(value)
    assert not is_plain([value])


def test_tensors_come_back_to_the_kind_of_device_that_they_were_on():
    value = {"here": torch.ones(2), "there": [torch.ones(3, device=ELSEWHERE)]}
    back = unpacked(packed(value), ELSEWHERE)
    assert back["here"].device == CPU
    assert back["there"][0].device == ELSEWHERE


def test_what_comes_back_shares_no_memory():
    value = [torch.ones(2)]
    back = unpacked(packed(value), CPU)
    back[0].zero_()
    assert value[0].tolist() == [1, 1]


def test_the_size_is_that_of_the_tensors():
    assert size([torch.ones(4), {"a": (torch.ones(2, dtype=torch.float64), "text")}]) == 32


def test_generators_come_back_from_a_safe_checkpoint_and_draw_the_same():
    random.seed(1)
    random.gauss()  # leaves half a pair
    np.random.seed(2)
    np.random.standard_normal(3)
    torch.manual_seed(3)
    kept = RngState.capture().to_dict()

    def draw():
        return random.gauss(), random.random(), np.random.standard_normal(4), torch.rand(3)

    drawn = draw()
    RngState.from_dict(through_a_file(kept)).restore()
    again = draw()
    assert again[:2] == drawn[:2]
    assert np.array_equal(again[2], drawn[2])
    assert torch.equal(again[3], drawn[3])


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.shared, self.same, self.differs = [self.weight], torch.ones(1000), 0
        self.queue = deque([1])


def test_of_attributes_only_those_that_differ_and_are_plain_are_stored():
    model = Kept()
    attributes = Attributes(model)
    model.differs, model.queue = 5, deque([2])
    assert attributes.state_dict() == [{"differs": 0}]
    later = Attributes(model)
    later.load_state_dict(attributes.state_dict())
    later.exchange()
    assert model.differs == 0
    assert model.queue == deque([2])
    assert model.shared[0] is model.weight
