"""The mean of a model's last weights, and the state that it must not touch."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from autolr.rng import RngState
from autolr.runtime.average import Average


class Net(nn.Module):
    """With batch norm, dropout, a buffer, a plain counter, and a frozen layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 1)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("last", torch.zeros(()))
        self.calls = [0]

    def forward(self, inputs):
        self.calls[0] += 1
        self.seen += inputs.sum()
        self.last = inputs.mean().detach()
        return self.head(self.body(self.frozen(inputs)))


def batches(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return [3 + 2 * torch.randn(16, 4, generator=generator) for _ in range(count)]


def nothing():
    pass


def optimizer_of(model, lr=0.05):
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)


def train(model, steps, after_step, seed=1, lr=0.05):
    optimizer = optimizer_of(model, lr)
    for inputs in batches(steps, seed):
        optimizer.zero_grad()
        model(inputs.to(next(model.parameters()).dtype)).square().mean().backward()
        optimizer.step()
        after_step()


def averaged(model, steps, **settings):
    """Train and return the average of all steps, and the weights after each in float64."""
    average, history = Average(model, optimizer_of(model), steps), []

    def after_step():
        average.add()
        history.append([p.detach().double().clone() for p in model.parameters()])

    train(model, steps, after_step, **settings)
    return average, history


@pytest.mark.parametrize("steps", [1, 2, 7, 16, 31])
def test_it_is_the_mean_of_the_weights_after_each_step_of_a_short_window(steps):
    model = Net()
    average, history = averaged(model, steps)
    with average.in_place(nothing):
        for parameter, kept in zip(model.parameters(), zip(*history, strict=True), strict=True):
            expected = torch.stack(kept).mean(0)
            # float32, rounded at each of 31 additions
            assert torch.allclose(parameter.double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("steps", [32, 100, 163])
def test_of_a_long_window_even_samples_with_the_last_one_are_averaged(steps):
    model = Net()
    average, history = averaged(model, steps)
    chosen = history[::-1][:: steps // 16]
    assert 16 <= len(chosen) <= 24
    with average.in_place(nothing):
        for parameter, kept in zip(model.parameters(), zip(*chosen, strict=True), strict=True):
            expected = torch.stack(kept).mean(0)
            assert torch.allclose(parameter.double(), expected, rtol=1e-5, atol=1e-7)


def test_statistics_of_batch_norm_are_those_of_torchs_update_bn():
    model = Net()
    model.body[3].p = 0.0
    torchs, average = AveragedModel(model), Average(model, optimizer_of(model), 10)

    def after_step():
        average.add()
        torchs.update_parameters(model)

    train(model, 10, after_step)
    recent = batches(8, seed=5)
    update_bn(recent, torchs)
    with average.in_place(lambda: [model(inputs) for inputs in recent]):
        norm, theirs = model.body[1], torchs.module.body[1]
        assert torch.allclose(norm.running_mean, theirs.running_mean, rtol=1e-4, atol=1e-6)
        assert torch.allclose(norm.running_var, theirs.running_var, rtol=1e-4, atol=1e-6)
        model.eval()
        torchs.eval()
        ours = model(recent[0])
        assert torch.allclose(ours, torchs(recent[0]), rtol=1e-4, atol=1e-5)
        model.train()


def buffers_in_place(average, forward):
    with average.in_place(forward):
        return [buffer.clone() for buffer in average._model.body[1].buffers()]


def test_statistics_are_estimated_once_for_a_mean_and_anew_for_the_next():
    model, calls = Net(), []
    average, _ = averaged(model, 5)
    again, recent = Average(model, optimizer_of(model), 1), batches(8, seed=5)
    again.load_state_dict(average.state_dict())

    def forward():
        calls.append([model(inputs) for inputs in recent])

    first = buffers_in_place(average, forward)
    assert all(map(torch.equal, buffers_in_place(average, forward), first))
    assert len(calls) == 1
    assert all(map(torch.equal, buffers_in_place(again, forward), first))
    assert len(calls) == 2
    train(model, 1, average.add)
    assert not any(map(torch.equal, buffers_in_place(average, forward)[:2], first))
    assert len(calls) == 3


def test_statistics_that_are_frozen_stay():
    model = Net()
    average, _ = averaged(model, 5)
    model.body[1].eval()
    before = model.body[1].running_mean.clone()
    with average.in_place(lambda: pytest.fail("no pass is needed")):
        assert torch.equal(model.body[1].running_mean, before)


def everything(model):
    tensors = {name: value.clone() for name, value in model.state_dict(keep_vars=False).items()}
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    objects = [id(t) for t in (*model.parameters(), *model.buffers())]
    places = [t.data_ptr() for t in (*model.parameters(), *model.buffers())]
    plain = (list(model.calls), id(model.calls), model.body[1].momentum)
    return tensors, grads, modes, objects, places, plain


@pytest.mark.parametrize("breaks", [False, True])
def test_the_model_is_left_as_it_was_bit_for_bit(breaks):
    model = Net()
    average, _ = averaged(model, 7)
    model.body[3].eval()
    before, generators = everything(model), RngState.capture()

    def forward():
        torch.rand(3), np.random.rand(), random.random()
        for inputs in batches(4, seed=9):
            model(inputs)

    try:
        with average.in_place(forward):
            assert not torch.equal(model.head.weight, before[0]["head.weight"])
            model(batches(1, seed=3)[0])
            model.calls.append(5)
            if breaks:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    after = everything(model)
    assert all(torch.equal(after[0][name], value) for name, value in before[0].items())
    assert all(a is b or torch.equal(a, b) for a, b in zip(after[1], before[1], strict=True))
    assert after[2:] == before[2:]
    if not breaks:
        return
    generators.restore()


def test_what_the_statistics_take_is_not_drawn_from_the_runs_generators():
    model = Net()
    average, _ = averaged(model, 3)
    torch.manual_seed(4), np.random.seed(4), random.seed(4)
    expected = torch.rand(2), np.random.rand(), random.random()
    torch.manual_seed(4), np.random.seed(4), random.seed(4)

    def forward():
        torch.rand(5), np.random.rand(), random.random()

    with average.in_place(forward):
        pass
    drawn = torch.rand(2), np.random.rand(), random.random()
    assert torch.equal(drawn[0], expected[0])
    assert drawn[1:] == expected[1:]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_averaged_in_float32(dtype):
    model = nn.Linear(2, 1, bias=False).to(dtype)
    average, count = Average(model, optimizer_of(model), 16), 16
    for n in range(count):  # each addition to a mean of so many is below the last bit of dtype
        model.weight.data.fill_(1.0 + (n % 2) * torch.finfo(dtype).eps * 4)
        average.add()
    with average.in_place(nothing):
        assert model.weight.dtype == dtype
        assert model.weight.tolist() == [[1 + 2 * torch.finfo(dtype).eps] * 2]
    assert model.weight.tolist() == [[1 + 4 * torch.finfo(dtype).eps] * 2]


def test_doubles_are_averaged_as_doubles():
    model = nn.Linear(1, 1, bias=False).double()
    average = Average(model, optimizer_of(model), 2)
    for value in (1.0, 1.0 + 2.0**-40):
        model.weight.data.fill_(value)
        average.add()
    with average.in_place(nothing):
        assert model.weight.item() == 1.0 + 2.0**-41


def test_a_weight_that_begins_to_train_in_the_window_is_averaged_from_there_on():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    average, history = Average(model, optimizer, 6), []
    for step in range(6):
        if step == 3:
            model.frozen.requires_grad_(True)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 1
        average.add()
        history.append([p.detach().clone() for p in (model.head.weight, model.frozen.weight)])
    head, frozen = zip(*history, strict=True)
    with average.in_place(nothing):
        assert torch.allclose(model.head.weight, torch.stack(head).mean(0))
        assert torch.allclose(model.frozen.weight, torch.stack(frozen[3:]).mean(0))


def test_a_weight_that_is_frozen_in_the_window_counts_as_it_is():
    model = Net()
    average = Average(model, optimizer_of(model), 4)
    for step in range(4):
        model.head.weight.data += 1
        model.head.requires_grad_(step < 2)
        average.add()
    present = model.head.weight.detach().clone()
    with average.in_place(nothing):
        assert torch.equal(model.head.weight, present)
