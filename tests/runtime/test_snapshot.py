"""Snapshots: all that a step changes, swapped by reference."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import contextlib
import copy

import pytest
import torch
from torch import nn

from autolr.runtime.snapshot import Snapshot


class Adaptive(torch.optim.Optimizer):
    """Like Prodigy: its estimate and its counter are entries of the parameter group."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr, "d": 1.0, "k": 0, "seen": torch.zeros(1), "log": []})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["k"] += 1
            for parameter in group["params"]:
                group["seen"] += parameter.grad.norm()
                parameter -= group["lr"] * group["d"] * parameter.grad
            group["d"] = 1 / (1 + float(group["seen"]))
            group["log"].append(group["d"])


OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
    "adaptive": Adaptive,
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1))


def train(model, optimizer, steps, seed=1):
    data = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        inputs = torch.randn(8, 4, generator=data)

        def closure(inputs=inputs):
            optimizer.zero_grad()
            loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
            loss.backward()
            return loss

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()


def state(model, optimizer):
    """Return a deep copy of weights, buffers, gradients and optimizer."""
    gradients = [p.grad for p in model.parameters()]
    return copy.deepcopy([model.state_dict(), gradients, optimizer.state_dict()])


def equal(left, right):
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


@pytest.fixture(params=OPTIMIZERS)
def run(request):
    """A model and its optimizer, three steps into training."""
    return begun(OPTIMIZERS[request.param])


def begun(make):
    model = net()
    optimizer = make(model.parameters())
    train(model, optimizer, 3)
    return model, optimizer


def test_training_another_state_leaves_no_trace(run):
    before = state(*run)
    with Snapshot(*run).in_place():
        train(*run, 3, seed=2)
        assert not equal(state(*run), before)
    assert equal(state(*run), before)


def test_another_state_continues_exactly_as_the_run_would_have(run):
    snapshot = Snapshot(*run)
    with snapshot.in_place():
        train(*run, 3, seed=2)
        beside = state(*run)
    train(*run, 3, seed=2)
    assert equal(state(*run), beside)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_snapshot_keeps_what_was_trained_into_it_between_blocks(make):
    run, plain = begun(make), begun(make)
    snapshot = Snapshot(*run)
    for seed in (2, 3):
        with snapshot.in_place():
            train(*run, 1, seed=seed)
        train(*run, 1, seed=9)  # the run itself goes elsewhere
        train(*plain, 1, seed=seed)
    with snapshot.in_place():
        assert equal(state(*run), state(*plain))


def test_two_exchanges_leave_the_very_same_tensors_in_place(run):
    model, optimizer = run

    def references():
        tensors = [t.data_ptr() for t in [*model.parameters(), *model.buffers()]]
        gradients = [id(p.grad) for p in model.parameters()]
        states = [id(v) for p in model.parameters() for v in optimizer.state.get(p, {}).values()]
        return tensors + gradients + states

    before = references()
    snapshot = Snapshot(*run)
    snapshot.exchange()
    assert not set(before) & set(references()[: len(list(model.parameters()))])
    snapshot.exchange()
    assert references() == before


def test_optimizer_state_is_matched_by_the_index_of_its_parameter(run):
    model, optimizer = run
    snapshot = Snapshot(*run)
    snapshot.exchange()
    assert set(optimizer.state) <= set(model.parameters())
    if not isinstance(optimizer, Adaptive | torch.optim.LBFGS):
        assert all(optimizer.state[p] for p in model.parameters())


def test_a_state_from_before_the_first_step_brings_back_an_empty_optimizer():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    fresh = Snapshot(model, optimizer)
    train(model, optimizer, 2)
    with fresh.in_place():
        assert not optimizer.state
        train(model, optimizer, 2)
        again = state(model, optimizer)
    assert equal(state(model, optimizer), again)


def test_entries_of_groups_go_with_the_state_but_rates_stay_with_the_run():
    model = net()
    optimizer = Adaptive(model.parameters())
    snapshot = Snapshot(model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.7
    with snapshot.in_place():
        train(model, optimizer, 2)
        assert optimizer.param_groups[0]["k"] == 2
        assert optimizer.param_groups[0]["lr"] == 0.7
    (group,) = optimizer.param_groups
    assert (group["k"], group["d"], float(group["seen"]), group["log"]) == (0, 1.0, 0.0, [])


def test_gradients_between_accumulation_steps_are_kept_apart():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(8, 4) + torch.randn(8, 4)).sum().backward()
    own = [p.grad.clone() for p in model.parameters()]
    snapshot = Snapshot(model, optimizer)
    with snapshot.in_place():
        assert all(map(torch.equal, own, [p.grad for p in model.parameters()]))
        model(torch.randn(8, 4)).sum().backward()
        optimizer.zero_grad()
    assert all(map(torch.equal, own, [p.grad for p in model.parameters()]))


def test_parameters_shared_by_two_layers_stay_shared():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Snapshot(model, optimizer).exchange()
    assert model[1].weight is model[0].weight
    assert model[1].weight.data_ptr() == model[0].weight.data_ptr()


def test_the_state_is_put_back_when_the_block_raises(run):
    before = state(*run)
    with contextlib.suppress(ZeroDivisionError), Snapshot(*run).in_place():
        train(*run, 1, seed=2)
        raise ZeroDivisionError
    assert equal(state(*run), before)


def wide():
    """A model with a weight of 256 KiB, large enough for its memory to be used again."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 256), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 1))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("build", [net, wide])
def test_a_renewed_snapshot_continues_exactly_as_the_run_would_have(build, make):
    model = build()
    run = (model, make(model.parameters()))
    train(*run, 1)
    snapshot = Snapshot(*run)
    with snapshot.in_place():
        train(*run, 2, seed=2)
    train(*run, 2, seed=3)
    before = state(*run)
    snapshot.renew()
    with snapshot.in_place():
        assert equal(state(*run), before)
        train(*run, 2, seed=4)
        beside = state(*run)
    assert equal(state(*run), before)
    train(*run, 2, seed=4)
    assert equal(state(*run), beside)


def test_renewing_uses_the_memory_of_weights_and_of_the_optimizer_again():
    model = wide()
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, 1)
    snapshot = Snapshot(model, optimizer)

    def addresses():
        with snapshot.in_place():
            weight = model[1].weight
            return {t.data_ptr() for t in (weight, *optimizer.state[weight].values()) if t.dim()}

    before = addresses()
    train(model, optimizer, 1)
    snapshot.renew()
    assert addresses() == before
    assert len(before) == 3


def test_renewing_leaves_gradients_alone_that_someone_has_kept():
    model = wide()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer, 1)
    kept = [p.grad for p in model.parameters()]
    own = [gradient.clone() for gradient in kept]
    snapshot = Snapshot(model, optimizer)
    snapshot.exchange()  # the kept ones are in the snapshot
    train(model, optimizer, 1, seed=2)
    snapshot.renew()
    assert all(map(torch.equal, kept, own))


def test_entries_that_share_memory_are_apart_after_renewing():
    parameter = nn.Parameter(torch.zeros(256, 256))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    optimizer.state[parameter] = {"one": torch.zeros(256, 256), "two": torch.zeros(256, 256)}
    model = nn.Module()
    model.weight = parameter
    snapshot = Snapshot(model, optimizer)
    with snapshot.in_place():
        optimizer.state[parameter]["one"] = optimizer.state[parameter]["two"]
    optimizer.state[parameter]["one"].fill_(1)
    snapshot.renew()
    with snapshot.in_place():
        assert [float(optimizer.state[parameter][name].mean()) for name in ("one", "two")] == [1, 0]
        assert float(parameter.detach().mean()) == 0


def test_a_scaler_is_exchanged_with_the_rest(run):
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    snapshot = Snapshot(*run, extras=[scaler])
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0})
    with snapshot.in_place():
        assert scaler.get_scale() == 8.0
    assert scaler.get_scale() == 2.0


def head_on_a_frozen_body():
    model = net()
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model[3].parameters(), lr=0.01)
    train(model, optimizer, 2)
    return model, optimizer


def test_frozen_weights_are_shared_and_not_copied():
    model, optimizer = head_on_a_frozen_body()
    snapshot = Snapshot(model, optimizer)
    assert set(snapshot.tensors) == set(model[3].parameters())
    body = model[0].weight.data_ptr()
    with snapshot.in_place():
        assert model[0].weight.data_ptr() == body


def test_a_state_follows_when_weights_are_unfrozen_and_join_the_optimizer():
    model, optimizer = head_on_a_frozen_body()
    snapshot = Snapshot(model, optimizer)
    with snapshot.in_place():
        train(model, optimizer, 1, seed=2)
    model[0].requires_grad_(True)
    joined = list(model[0].parameters())
    optimizer.add_param_group({"params": joined, "lr": 0.1})
    snapshot.follow(joined, [], stepped=False)
    before = state(model, optimizer)
    with snapshot.in_place():
        train(model, optimizer, 2, seed=3)
        assert not torch.equal(model[0].weight, before[0]["0.weight"])
    assert equal(state(model, optimizer), before)


def test_parameters_that_only_the_optimizer_holds_are_exchanged_too():
    model, scale = net(), nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*model.parameters(), scale], lr=0.1)
    with Snapshot(model, optimizer).in_place():
        scale.data += 1
    assert float(scale.detach()) == 1.0


def test_a_buffer_that_a_state_does_not_have_yet_is_made_in_it_anew():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.register_buffer("empty", None)
    snapshot = Snapshot(model, optimizer)
    model.empty = torch.ones(2)
    model.register_buffer("late", torch.ones(3))
    snapshot.follow([], [(model, "late")], stepped=True)
    with snapshot.in_place():
        assert model.empty is None
        assert not hasattr(model, "late")
        model.register_buffer("late", torch.zeros(3))
    assert torch.equal(model.late, torch.ones(3))
    assert torch.equal(model.empty, torch.ones(2))
    with snapshot.in_place():
        assert torch.equal(model.late, torch.zeros(3))
