"""The bytes of a run before its first step are those that torch reports after it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

import autolr
from autolr import rules
from autolr.runtime.plain import size
from autolr.runtime.run_bytes import run_bytes, state_bytes
from autolr.runtime.torch_learner import TorchLearner

_CLASSES = [
    kind
    for kind in vars(torch.optim).values()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
]
_UNKNOWN = ("LBFGS", "SparseAdam")  # a state that grows; no dense gradients
_SETTINGS = {
    "momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "centered": (torch.optim.RMSprop, {"centered": True, "momentum": 0.9}),
    "amsgrad": (torch.optim.AdamW, {"amsgrad": True}),
    "fused": (torch.optim.Adam, {"fused": True}),
    **{kind.__name__: (kind, {}) for kind in _CLASSES if kind.__name__ not in _UNKNOWN},
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32, bias=False), nn.Tanh(), nn.Linear(32, 8, bias=False))


def after_a_step(optimizer: Optimizer, model: nn.Module) -> int:
    """Make a step; return the bytes of tensors in the optimizer, but for parameters."""

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 16)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    return size([groups, list(optimizer.state.values())])


@pytest.mark.parametrize(("kind", "settings"), _SETTINGS.values(), ids=_SETTINGS)
def test_the_state_of_each_optimizer_of_torch_is_known(kind, settings):
    model = network()
    optimizer = kind(model.parameters(), **settings)
    before = copy.deepcopy((optimizer.state_dict(), model.state_dict()))
    known = state_bytes(optimizer)
    torch.testing.assert_close((optimizer.state_dict(), model.state_dict()), before)
    assert known == after_a_step(optimizer, model)


@pytest.mark.parametrize("rule", [name for name in rules.names() if name != "fixed"])
def test_so_is_that_of_each_rule(rule):
    model = network()
    optimizer = rules.in_place_of(torch.optim.SGD(model.parameters(), lr=0.01), rule)
    known = state_bytes(optimizer)
    assert known == after_a_step(optimizer, model)


@pytest.mark.parametrize("kind", [torch.optim.LBFGS, torch.optim.SparseAdam])
def test_what_cannot_be_known_before_the_first_step_is_not_guessed(kind):
    model = network()
    held = run_bytes(model, [kind(model.parameters())])
    assert held is not None
    assert (held.optimizer, held.run, held.copies, held.checkpoint) == (None, None, 0, None)


def test_weights_that_the_first_step_makes_have_no_size_before_it():
    assert run_bytes(nn.Sequential(nn.LazyLinear(3)), []) is None


def test_an_optimizer_that_a_scheduler_and_hooks_are_on_is_left_alone():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    step = optimizer.step
    assert state_bytes(optimizer) == 2 * size(list(model.parameters())) + 2 * 4
    assert (calls, optimizer.step, len(optimizer.state)) == ([], step, 0)


def test_what_is_frozen_has_no_gradient_and_no_state():
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Linear(64, 4))
    model[0].requires_grad_(False)
    held = run_bytes(model, [torch.optim.Adam(model.parameters())])
    trained = 4 * (2 * 64 + 65 * 4)
    statistics = 4 * 2 * 64 + 8
    assert held.gradients == held.average == trained
    assert held.optimizer == 2 * trained + 4 * 4  # with the count of steps of each parameter
    assert held.changed == trained + statistics
    assert held.weights == 4 * 65 * 64 + trained + statistics


def test_a_checkpoint_takes_what_a_file_of_torch_takes():
    model = nn.Sequential(nn.Linear(500, 500), nn.Linear(500, 500))
    optimizer = torch.optim.AdamW(model.parameters())
    held = run_bytes(model, [optimizer])
    model(torch.ones(1, 500)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    assert held.checkpoint == pytest.approx(file.tell(), rel=0.01)


def test_copies_of_a_search_take_what_it_reports():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 300), nn.Tanh(), nn.Linear(300, 1))
    optimizer = torch.optim.Adam(model.parameters())
    batches = [torch.randn(8, 300) for _ in range(4)]

    def loss(model, batch):
        return (model(batch) - batch.sum(1, keepdim=True)).square().mean()

    held = run_bytes(model, [optimizer])
    learner = TorchLearner(model, optimizer, batches, loss)
    result = autolr.search(learner, 400)
    count = 4  # peaks race beside the run
    copies = count * (held.changed + held.gradients + held.optimizer + held.average) + held.average
    assert result.copy_bytes == pytest.approx(copies, rel=0.01)


def test_of_several_optimizers_the_states_add_up():
    model = network()
    first, second = model.parameters()
    muon, adam = torch.optim.Muon([first]), torch.optim.AdamW([second])
    held = run_bytes(model, [muon, adam])
    assert held.optimizer == size(first) + 2 * size(second) + 4
    assert held.gradients == held.average == size(first) + size(second)
