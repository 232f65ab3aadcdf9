"""Objects that a model or its optimizer holds: which are state, and their exchange."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import enum
import functools
import itertools
import logging
import random
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr.runtime.attributes import Attributes
from autolr.runtime.held_objects import HeldObjects
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.untouched import untouched


class Model(nn.Module):
    """A layer, and something beside it."""

    def __init__(self, held=None):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.held = held


class Env:
    """An environment: arrays, a generator of its own, a counter, and a part."""

    def __init__(self):
        self.position, self.draws, self.steps = np.zeros(2), np.random.default_rng(0), 0
        self.inner = None

    def step(self):
        self.position += self.draws.normal(size=2)
        self.steps += 1
        if self.inner is not None:
            self.inner.step()


class Slots:
    """Keeps its state in slots."""

    __slots__ = ("count", "empty")

    def __init__(self):
        self.count = [0]


@dataclass
class Bank:
    """A queue of features in an object without behaviour."""

    rows: torch.Tensor
    next: int = 0


class Teacher:
    """A copy of a network that is hidden from the module."""

    def __init__(self, network):
        self.network = network


def nested():
    env = Env()
    env.inner = Env()
    return env


def walked(env):
    env.step()
    return env.steps


# Each: what a module holds, a change to it, and a reading of what was changed.
HELD = {
    "environment": (Env, walked, lambda e: (e.steps, e.position.tolist(), e.draws.random())),
    "wrapped environment": (nested, walked, lambda e: (e.inner.steps, e.inner.position.tolist())),
    "environments": (lambda: [Env(), Env()], lambda v: walked(v[1]), lambda v: v[1].steps),
    "by name": (lambda: {"a": Env()}, lambda v: walked(v["a"]), lambda v: v["a"].steps),
    "slots": (Slots, lambda v: v.count.append(1), lambda v: v.count),
    "new slot": (Slots, lambda v: setattr(v, "empty", 1), lambda v: hasattr(v, "empty")),
    "dataclass": (lambda: Bank(torch.zeros(3)), lambda v: v.rows.add_(1), lambda v: v.rows.sum()),
    "new attribute": (Env, lambda v: setattr(v, "new", 1), lambda v: hasattr(v, "new")),
    "network in a list": (
        lambda: [nn.Linear(2, 1)],
        lambda v: v[0].weight.data.add_(1),
        lambda v: v[0].weight.sum().item(),
    ),
    "frozen network in an object": (
        lambda: Teacher(nn.BatchNorm1d(2).requires_grad_(False)),
        lambda v: (v.network.running_mean.add_(1), v.network.weight.add_(1)),
        lambda v: (v.network.running_mean.sum().item(), v.network.weight.sum().item()),
    ),
    "buffer that is bound anew": (
        lambda: [nn.BatchNorm1d(2)],
        lambda v: setattr(v[0], "running_mean", torch.ones(2)),
        lambda v: v[0].running_mean.sum().item(),
    ),
    "iterator": (lambda: itertools.cycle([1, 2, 3]), next, lambda v: next(v)),
    "counter": (lambda: [itertools.count()], lambda v: next(v[0]), lambda v: next(v[0])),
}


@pytest.mark.parametrize(("make", "change", "read"), HELD.values(), ids=HELD)
def test_what_an_object_holds_is_exchanged_with_the_copy(make, change, read):
    torch.manual_seed(0)
    model, expected = Model(make()), make
    own = model.held
    torch.manual_seed(0)
    twin = expected()
    for one in (model.held, twin):
        _same_weights(one)
    saved = Attributes(model)
    saved.exchange()
    change(model.held)  # on the side of the copy
    saved.exchange()
    assert model.held is own
    assert read(model.held) == read(twin)


def _same_weights(held):
    network = held[0] if isinstance(held, list) else getattr(held, "network", None)
    if isinstance(network, nn.Linear):
        nn.init.ones_(network.weight)


def test_an_object_made_on_one_side_stays_there():
    model = Model()
    saved = Attributes(model)
    saved.exchange()
    model.held = Env()
    saved.exchange()
    assert model.held is None


def test_objects_that_refer_to_the_model_are_no_copies_of_it():
    model = Model(Env())
    model.held.agent, model.held.layer = model, model.layer
    model.held.weights = [model.layer.weight]
    saved = Attributes(model)
    saved.exchange()
    assert model.held.agent is model
    assert model.held.weights[0] is model.layer.weight


class Color(enum.Enum):
    RED = 1


SHARED = {
    "data": lambda: DataLoader(TensorDataset(torch.zeros(2, 1))),
    "scheduler": lambda: torch.optim.lr_scheduler.ConstantLR(torch.optim.SGD([torch.ones(1)])),
    "logger": lambda: logging.getLogger("here"),
    "function": lambda: len,
    "partial": lambda: functools.partial(max, 1),
    "class": lambda: Env,
    "enum": lambda: Color.RED,
    "path": lambda: Path("here"),
    "sentinel": object,
    "type": lambda: torch.float32,
}


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_what_surrounds_a_run_is_shared(make):
    model = Model(own := make())
    held = HeldObjects(model)
    assert list(held.holders) == [""]
    assert held.uncopied == {}
    Attributes(model).exchange()
    assert model.held is own


UNCOPIED = {
    "socket": (socket.socket, "held", "socket"),
    "lock": (threading.Lock, "held", "lock"),
    "generator": (lambda: (i for i in range(3)), "held", "generator"),
    "file": (lambda: open(__file__), "held", "TextIOWrapper"),  # noqa: SIM115
    "deep": (lambda: {"a": [_with(threading.Lock())]}, "held['a'][0].inner", "lock"),
    "loader's iterator": (
        lambda: iter(DataLoader(TensorDataset(torch.zeros(2, 1)))),
        "held._sampler_iter",
        "generator",
    ),
}


def _with(inner):
    env = Env()
    env.inner = inner
    return env


@pytest.mark.parametrize(("make", "name", "kind"), UNCOPIED.values(), ids=UNCOPIED)
def test_what_cannot_be_copied_is_named(make, name, kind):
    model = nn.Sequential(Model(make()))
    assert HeldObjects(model).uncopied == {f"0.{name}": kind}
    if hasattr(model[0].held, "close"):
        model[0].held.close()


class Slow(torch.optim.Optimizer):
    """Wraps an optimizer, and pulls the weights back to slow ones every second step."""

    def __init__(self, inner):
        super().__init__(inner.param_groups, {})
        self.inner, self.param_groups = inner, inner.param_groups
        self.made, self.slow = 0, [p.detach().clone() for p in inner.param_groups[0]["params"]]
        self.noise = random.Random(0)

    @torch.no_grad()
    def step(self, closure=None):
        self.inner.step(closure)
        self.made += 1
        if self.made % 2 == 0:
            for slow, p in zip(self.slow, self.param_groups[0]["params"], strict=True):
                slow.lerp_(p, 0.5 + 0.1 * self.noise.random())
                p.copy_(slow)


def trained(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model.layer(torch.ones(3, 2)).square().sum().backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("inner", [torch.optim.Adam, torch.optim.SGD])
def test_a_copy_trains_with_an_inner_optimizer_of_its_own(inner):
    def begun():
        torch.manual_seed(0)
        model = Model()
        settings = {"momentum": 0.9} if inner is torch.optim.SGD else {}
        optimizer = Slow(inner(model.parameters(), lr=0.01, **settings))
        trained(model, optimizer, 3)
        return model, optimizer

    expected = trained(*begun(), 4)
    model, optimizer = begun()
    copy = Snapshot(model, optimizer)
    with copy.in_place():
        assert all(map(torch.equal, trained(model, optimizer, 4), expected))
    assert optimizer.made == 3
    assert all(map(torch.equal, trained(model, optimizer, 4), expected))


def test_a_block_leaves_frozen_weights_as_they_were_where_they_are_to_be():
    model = Model(student := nn.Linear(2, 1))
    model.layer.requires_grad_(False)
    before = model.layer.weight.clone()
    assert student.weight.requires_grad  # the layer may be its teacher
    with untouched(model, weights=True):
        model.layer.weight.lerp_(torch.ones(1, 2), 0.5)
        model.layer.weight.data = model.layer.weight.data * 2
    assert torch.equal(model.layer.weight, before)
