"""Two states that change places: by value, where compiled code is bound to the tensors in place."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch import nn

from autolr.runtime.snapshot import Snapshot
from autolr.runtime.swap import Swap
from autolr.runtime.untouched import untouched
from tests.runtime.test_snapshot import OPTIMIZERS, begun, equal, state, train


def bound(run):
    """Return a run that holds a function, never called, which would record CUDA graphs."""
    model, _ = run
    model.function = torch.compile(torch.relu, mode="reduce-overhead")
    return run


def addresses(model, optimizer):
    """Return where weights and buffers lie, and the tensors of the optimizer by parameter."""
    tensors = [tensor.data_ptr() for tensor in [*model.parameters(), *model.buffers()]]
    states = {
        (index, name): (id(value), value.data_ptr())
        for index, parameter in enumerate(model.parameters())
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)
    }
    return tensors, states


def trained_beside(run):
    """Return what both states of a run are after steps in turns, and after they are exchanged."""
    snapshot, seen = Snapshot(*run), []
    for seed in (2, 3):
        with snapshot.in_place():
            train(*run, 2, seed=seed)
            seen.append(state(*run))
        train(*run, 1, seed=9)
        seen.append(state(*run))
    snapshot.exchange()
    return [*seen, state(*run)]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_states_swapped_by_value_are_those_swapped_by_reference_bit_for_bit(make):
    assert equal(trained_beside(begun(make)), trained_beside(bound(begun(make))))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_swapped_by_value_every_tensor_keeps_its_memory(make):
    run = bound(begun(make))
    snapshot = Snapshot(*run)
    for _ in range(3):
        before = addresses(*run)
        snapshot.exchange()
        assert addresses(*run) == before
        train(*run, 1)  # LBFGS binds others itself


def test_a_state_without_one_of_the_optimizer_gets_its_own_and_leaves_that_of_the_run_in_place():
    run = bound(begun(lambda parameters: torch.optim.AdamW(parameters, lr=0.01)))
    _, optimizer = run
    snapshot = Snapshot(*run)
    snapshot.states.clear()  # as it is before the first step
    before = addresses(*run)
    values = state(*run)
    with snapshot.in_place():
        assert not optimizer.state
        train(*run, 1)
        trained = state(*run)
    assert addresses(*run) == before
    assert equal(state(*run), values)
    with snapshot.in_place():
        assert addresses(*run) == before
        assert equal(state(*run), trained)


def test_a_swapped_gradient_is_a_copy_of_what_a_replay_may_overwrite():
    run = bound(begun(lambda parameters: torch.optim.SGD(parameters, lr=0.1)))
    model, _ = run
    gradients = [parameter.grad for parameter in model.parameters()]
    values = [gradient.clone() for gradient in gradients]
    snapshot = Snapshot(*run)
    with snapshot.in_place():
        for gradient in gradients:
            gradient.fill_(float("nan"))
    assert equal([parameter.grad for parameter in model.parameters()], values)


def test_tensors_that_overlap_are_swapped_together():
    whole = torch.arange(6.0)
    part, others = whole[2:4], (torch.full((6,), 7.0), torch.full((2,), 7.0))
    for _ in range(2):
        with Swap(in_place=True) as swap:
            swap.data(whole, others[0])
            swap.data(part, others[1])
    assert whole.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert others[1].tolist() == [7.0, 7.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1).expand(3),
        lambda: torch.zeros(3, dtype=torch.float64),
        lambda: torch.zeros(4),
    ],
    ids=["one number for all", "another type", "another shape"],
)
def test_values_that_cannot_be_written_in_place_are_swapped_by_reference(make):
    tensor, other = torch.ones(3), make()
    with Swap(in_place=True) as swap:
        kept = swap.data(tensor, other)
    assert equal(tensor, other)
    assert equal(kept, torch.ones(3))


def test_a_block_that_leaves_a_bound_model_untouched_writes_the_buffers_where_they_lie():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    model.function = torch.compile(torch.relu, mode="reduce-overhead")
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.data_ptr() for tensor in tensors]
    values = {name: value.clone() for name, value in model.state_dict().items()}
    with untouched(model, weights=True):
        assert [tensor.data_ptr() for tensor in tensors] == before
        model(torch.randn(8, 4))
        with torch.no_grad():
            model[0].weight.add_(1)
    assert [tensor.data_ptr() for tensor in tensors] == before
    assert equal(dict(model.state_dict()), values)
