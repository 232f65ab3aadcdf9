"""A range test: its curve is that of a loop by hand, and it leaves no trace."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr.errors import ConfigError

STEPS = 24


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def parts(**loader):
    """Return a run with all that a step can change: dropout, batch norm, momentum, two groups."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": [*model[1:].parameters()]}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    inputs = torch.randn(96, 4)
    batches = DataLoader(TensorDataset(inputs, inputs.argmax(1) % 3), 16, shuffle=True, **loader)
    return model, optimizer, batches


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def trained(model, optimizer, batches):
    """Return all that is left after two epochs, and the order of the data."""
    losses = []
    for batch in [*batches, *batches]:
        optimizer.zero_grad()
        losses.append(loss(model, batch))
        losses[-1].backward()
        optimizer.step()
    return [*losses, *model.state_dict().values(), torch.get_rng_state()]


@pytest.mark.parametrize("own", [None, 5])
def test_a_run_after_the_test_is_the_run_without_it_bit_for_bit(own):
    def generator():
        return {} if own is None else {"generator": torch.Generator().manual_seed(own)}

    expected = trained(*parts(**generator()))
    run = parts(**generator())
    tested = autolr.range_test(*run, loss, steps=STEPS)
    assert len(tested.losses) > 6
    assert [type(group["lr"]) for group in run[1].param_groups] == [float, float]
    assert all(torch.equal(a, b) for a, b in zip(trained(*run), expected, strict=True))


def test_in_the_middle_of_a_run_gradients_and_momentum_stay():
    run = parts()
    trained(*run)
    model, optimizer, _ = run
    tensors = [
        *model.state_dict().values(),
        *(s["momentum_buffer"] for s in optimizer.state.values()),
    ]
    before, groups = [one.clone() for one in tensors], copy.deepcopy(optimizer.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    autolr.range_test(*run, loss, steps=STEPS)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))
    assert optimizer.state_dict()["param_groups"] == groups["param_groups"]
    actual = [p.grad for p in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(actual, gradients, strict=True))


def test_the_curve_is_that_of_a_loop_by_hand():
    tested = autolr.range_test(*parts(), loss, lowest=1e-4, highest=1.0, steps=STEPS)
    model, optimizer, batches = parts()
    rates = np.geomspace(1e-4, 1.0, STEPS)
    iterator = iter(batches)
    for rate, expected in zip(rates, tested.losses, strict=True):
        if (batch := next(iterator, None)) is None:
            iterator = iter(batches)
            batch = next(iterator)
        optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate / 10, rate
        optimizer.zero_grad()
        value = loss(model, batch)
        value.backward()
        optimizer.step()
        assert value.item() == pytest.approx(expected, rel=1e-5)
    assert tested.rates == pytest.approx(rates)


def test_on_a_quadratic_the_suggestion_is_below_the_edge_of_divergence():
    """Gradient descent on h/2 x^2 diverges above a rate of 2/h = 0.5."""
    weight = nn.Parameter(torch.tensor(3.0))
    model = nn.ParameterList([weight])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    tested = autolr.range_test(model, optimizer, [0], lambda m, _: 2 * m[0] ** 2, steps=150)
    assert float(weight) == 3.0
    assert tested.rates[-1] > 0.5
    assert len(tested.losses) < 150
    assert 0.005 < tested.suggestion < 0.5


def test_the_curve_is_drawn():
    pytest.importorskip("matplotlib")
    tested = autolr.range_test(*parts(), loss, steps=STEPS)
    assert tested.svg().startswith("<svg")
    assert f"suggested: {tested.suggestion:.3g}" in tested._repr_html_()
    (axes,) = tested.plot().axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_ydata().tolist() == pytest.approx(list(tested.losses))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"steps": 3}, "steps must be a whole number of at least 10, got 3"),
        ({"lowest": 0.0}, "lowest must be a number above 0, got 0"),
        ({"lowest": 1.0, "highest": 1.0}, "highest must be a number above 1, got 1"),
    ],
)
def test_what_cannot_work_is_refused(setting, expected):
    with pytest.raises(ConfigError, match=expected):
        autolr.range_test(*parts(), loss, **setting)


def test_an_iterator_is_refused_as_the_run_would_miss_its_batches():
    model, optimizer, batches = parts()
    with pytest.raises(ConfigError, match="batches must be a loader or a list"):
        autolr.range_test(model, optimizer, iter(batches), loss)


def test_an_error_of_the_first_step_is_the_users():
    def without_return(model, batch):
        loss(model, batch)

    def broken(model, batch):
        raise ZeroDivisionError

    with pytest.raises(ConfigError, match=r"loss\(model, batch\) must return the loss"):
        autolr.range_test(*parts(), without_return)
    with pytest.raises(ZeroDivisionError):
        autolr.range_test(*parts(), broken)
