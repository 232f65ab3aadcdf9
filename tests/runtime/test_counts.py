"""What a model counts continues where an older state of it takes the place of the run's."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from collections import deque

import numpy as np
import pytest
import torch
from torch import nn

from autolr.online import Commit, Probe, Rollback, Save
from autolr.online.reschedule import scaled
from autolr.runtime.equality import are_equal
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.torch_learner import TorchLearner
from tests.runtime.scripted import BATCHES, RUN, STEPS, by_batch, data, loss, searched


class Model(nn.Module):
    """Keeps values beside its weights; tensors are buffers."""

    def __init__(self, **values):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        for name, value in values.items():
            if torch.is_tensor(value):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)


def rolled_back(train, **values):
    """Return a model whose state with these values replaces the one that `train` has left."""
    model = Model(**values)
    saved = Snapshot(model, torch.optim.SGD(model.parameters(), lr=0.1))
    train(model)
    saved.count_on()
    saved.exchange()
    return model


def kept(before, now):
    """Return a value after a rollback."""
    return rolled_back(lambda model: setattr(model, "value", now), value=before).value


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (89, 256),
        (256, 3),  # of an epoch that has begun anew
        (np.int64(4), np.int64(9)),
        (torch.zeros(()), torch.tensor(256.0)),
        (torch.zeros(1, dtype=torch.long), torch.tensor([256])),
    ],
    ids=repr,
)
def test_a_count_is_that_of_the_run(before, now):
    assert kept(before, now) == now


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (False, True),
        (0.25, 0.5),
        (3.0, 1.0),
        ("first", "second"),
        (torch.tensor(0.5), torch.tensor(2.0)),
        (torch.tensor(0), torch.tensor(1)),  # a flag
        (torch.zeros(2), torch.ones(2)),
    ],
    ids=repr,
)
def test_all_else_is_that_of_the_older_state(before, now):
    assert are_equal(kept(before, now), before)


class Ramp:
    """Is an object of its own that a model counts with."""

    def __init__(self):
        self.made, self.weight = 5, 0.5


def test_what_a_model_holds_may_count_for_it():
    def train(model):
        model.seen["steps"] += 3
        model.ramp.made += 3

    model = rolled_back(train, seen={"steps": 5}, ramp=Ramp())
    assert (model.seen["steps"], model.ramp.made) == (8, 8)


@pytest.mark.parametrize(
    "values",
    [
        {"store": torch.zeros(64, 2), "place": 8},
        {"store": [1.0] * 8, "place": 8},
        {"store": deque([1.0] * 8), "place": torch.tensor(7)},
        {"store": np.zeros(64), "place": 8},
    ],
    ids=["a buffer", "a list", "a deque", "an array"],
)
def test_a_place_in_a_store_is_that_of_the_store(values):
    def train(model):
        model.place = model.place + 5
        model.store[3] += 1
        if isinstance(model.store, list | deque):
            model.store.extend([2.0] * 5)

    place = values["place"]
    assert rolled_back(train, **values).place == place


def test_a_count_beside_a_list_that_each_epoch_clears_goes_on():
    def train(model):
        model.calls, model.outputs = 256, [0.5] * 6

    assert rolled_back(train, calls=89, outputs=[0.5] * 14).calls == 256


def test_batch_norm_counts_for_its_statistics():
    model = rolled_back(lambda model: model.net(torch.ones(4, 2)))
    assert model.net[1].num_batches_tracked == 0


class Counting(nn.Sequential):
    """Counts the batches that it is trained on."""

    calls = 0

    def forward(self, inputs):
        self.calls += self.training
        return super().forward(inputs) * (1 + 0.01 * self.calls)


BEFORE = Probe((RUN,), 0, 8, 1), Save(RUN), Probe((RUN,), 11, 12, 1)
HALVED = scaled(RUN, 12, 0.5, refines=False)
COPY = Probe((RUN, HALVED), 12, 17, 2, from_saved=True, factor=0.5)


@pytest.mark.parametrize(
    ("action", "beside"),
    [(Rollback(RUN), []), (COPY, [13, 14, 15, 16, 17])],
    ids=["a rollback", "a rival from the saved state"],
)
def test_each_step_is_made_on_the_objective_that_is_due(action, beside):
    torch.manual_seed(0)
    model = Counting(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
    optimizer, counts = torch.optim.SGD(model.parameters(), lr=RUN.peak), []
    optimizer.register_step_post_hook(lambda *_: counts.append(model.calls))
    run = TorchLearner(model, optimizer, data(BATCHES, seed=1), loss, validate=by_batch)
    _, result, _ = searched(*BEFORE, action, Commit(HALVED), run=run)
    assert [(made.step, made.to) for made in result.rollbacks] == [(12, 8)]
    assert sorted(counts) == sorted([*range(1, STEPS + 1), *beside])
