"""Many states in one step: equal to one after the other, and one after the other otherwise."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import autolr
from autolr.online import Annealed
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext
from autolr.runtime.stepper import Means, Stepper

FACTORS = (0.5, 1.0, 2.0, 3.0)
STEPS = 8


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


class Net(nn.Module):
    """A perceptron over embedded words, with dropout."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 4)
        self.net = nn.Sequential(
            nn.Linear(12, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 5)
        )

    def forward(self, words):
        return self.net(self.words(words).flatten(1))


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def batches(seed=3):
    data = torch.Generator().manual_seed(seed)
    return [
        (torch.randint(11, (20, 3), generator=data), torch.randint(5, (20,), generator=data))
        for _ in range(STEPS)
    ]


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.01)


def in_groups(model):
    return [
        {"params": model.words.parameters(), "lr": 0.003, "weight_decay": 0.0},
        {"params": model.net[0].parameters(), "weight_decay": 0.2},
        {"params": [*model.net[1].parameters(), *model.net[4].parameters()]},
    ]


def trained(
    make_model, make_optimizer, *, stack, clip=None, data=None, objective=loss, states=4, kept=True
):
    """Return stepper, snapshots, losses and learner after some steps with several states."""
    torch.manual_seed(0)
    model = make_model()
    optimizer = make_optimizer(model)
    data = batches() if data is None else data
    learner = autolr.TorchLearner(model, optimizer, data, objective, clip=clip)
    rates = Rates(optimizer)
    factors = [FACTORS[state % len(FACTORS)] for state in range(states)]
    snapshots = [Snapshot(model, optimizer) for _ in factors]
    stepper = Stepper(learner, rates, Means(stack))
    losses = []
    for _ in data:
        learner.next_batch()
        before = StepContext.capture(optimizer)
        made = stepper.step(snapshots, factors, before, stepped=True, kept=kept)
        losses += [float(value) for value in made]
    stepper.settle()
    return snapshots, losses, learner


def tensors(snapshots):
    """Return everything that the snapshots' training changed."""
    found = []
    for snapshot in snapshots:
        found += [*snapshot.tensors, *snapshot.gradients]
        for state in snapshot.states:
            found += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return found


def largest_difference(left, right):
    pairs = list(zip(tensors(left), tensors(right), strict=True))
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float((a - b).norm() / (b.norm() + 1e-3)) for a, b in pairs)


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": adam,
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, foreach=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.5),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.003, momentum=0.5, centered=True),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.001),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.05),
}


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("groups", [nn.Module.parameters, in_groups])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stacked_steps_are_those_of_one_state_after_the_other(name, groups, clip, caplog):
    caplog.set_level(logging.INFO)
    runs = [
        trained(Net, lambda model: OPTIMIZERS[name](groups(model)), stack=stack, clip=clip)
        for stack in (True, False)
    ]
    assert "trained together, 4 in one pass" in caplog.text
    # float32, eight steps; the sums of a pass and of the norm are in another order
    assert largest_difference(runs[0][0], runs[1][0]) < 1e-5
    assert runs[0][1] == pytest.approx(runs[1][1], rel=1e-5)


def test_states_can_be_exchanged_and_stacked_again_between_the_steps():
    def make(stack):
        torch.manual_seed(0)
        model = Net()
        optimizer = adam(model.parameters())
        learner = autolr.TorchLearner(model, optimizer, batches(), loss)
        stepper = Stepper(learner, Rates(optimizer), Means(stack))
        snapshots = [Snapshot(model, optimizer) for _ in FACTORS]
        for done in range(STEPS):
            learner.next_batch()
            before = StepContext.capture(optimizer)
            learner.train()
            stepper.step(snapshots, FACTORS[: len(snapshots)], before, stepped=True)
            if done == 3:
                stepper.settle()
                snapshots[1].exchange()
                with snapshots[0].in_place():
                    snapshots[2] = Snapshot(model, optimizer)
            if done == 5:
                snapshots = snapshots[:3]
        stepper.settle()
        return [*snapshots, Snapshot(model, optimizer)]

    assert largest_difference(make(True), make(False)) < 1e-5


class Normed(Net):
    """Keeps running statistics."""

    def __init__(self):
        super().__init__()
        self.net[1] = nn.BatchNorm1d(16)


class Counted(Net):
    """Counts in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, words):
        self.seen += 1
        return super().forward(words)


class Reassigned(Counted):
    """Counts in a buffer that it replaces."""

    def forward(self, words):
        self.seen = self.seen + 1
        return super().forward(words)


class Remembering(Net):
    """Keeps what it put out."""

    def forward(self, words):
        self.last = super().forward(words)
        return self.last


class Branching(Net):
    """Decides by its data."""

    def forward(self, words):
        output = super().forward(words)
        return output if output.mean() > 0 else 2 * output


class Recurrent(Net):
    """Reads the words by an LSTM."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)

    def forward(self, words):
        return self.net(self.lstm(self.words(words))[0].flatten(1))


class Hooked(Net):
    """Has a hook."""

    def __init__(self):
        super().__init__()
        self.net.register_forward_hook(lambda *_: None)


class Convolved(Net):
    """Has a convolution."""

    def __init__(self):
        super().__init__()
        self.net[0] = nn.Sequential(nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 16, 12), nn.Flatten())


class Frozen(Net):
    """Changes what is not trained."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, words):
        self.scale.mul_(0.95)
        return self.scale.item() * super().forward(words)


class Unused(Net):
    """Has a layer that takes no part."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)


class Sparse(Net):
    """Has sparse gradients."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 4, sparse=True)


class Large(Net):
    """Has a large table."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(40_000, 4)


class Signed(torch.optim.SGD):
    """An optimizer that nobody knows."""


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Normed, "buffer|running_mean|Batch norm"),
        (Counted, "a step changes a buffer"),
        (Reassigned, "a step changes a buffer"),
        (Frozen, "a step changes a buffer"),
        (Sparse, "."),
        (Remembering, "a step changes an attribute"),
        (Branching, "data-dependent"),
        (Recurrent, "."),
        (Hooked, "a module has hooks"),
        (Convolved, "convolutions gain nothing"),
        (Unused, "a parameter has no gradient"),
        (Large, "parameters gain nothing"),
    ],
)
def test_what_cannot_be_stacked_is_trained_one_by_one_bit_for_bit(model, reason, caplog):
    caplog.set_level(logging.INFO)
    stacked, one_by_one = (
        trained(model, lambda made: torch.optim.SGD(made.parameters(), lr=0.1), stack=stack)
        for stack in (True, False)
    )
    (record,) = caplog.records
    assert record.message.startswith("AutoLR: probes are trained one by one: ")
    assert re.search(reason, record.message)
    assert stacked[1] == one_by_one[1]
    for ours, theirs in zip(stacked[0], one_by_one[0], strict=True):
        assert all(map(torch.equal, ours.tensors, theirs.tensors))
    live, plain = (learner.model.state_dict() for _, _, learner in (stacked, one_by_one))
    assert all(torch.equal(live[name], plain[name]) for name in live)


def test_an_unknown_optimizer_is_not_stacked(caplog):
    caplog.set_level(logging.INFO)
    trained(Net, lambda model: Signed(model.parameters(), lr=0.1), stack=True)
    assert "Signed is not known to update each number for itself" in caplog.text


def test_what_changes_later_is_found_before_it_does_harm(caplog):
    caplog.set_level(logging.INFO)
    data = batches()

    def objective(model, batch):
        if batch is data[4]:
            model.late = getattr(model, "late", 0) + 1
        return loss(model, batch) * (1 + getattr(model, "late", 0))

    runs = [
        trained(Net, lambda m: adam(m.parameters()), stack=stack, data=data, objective=objective)
        for stack in (True, False)
    ]
    assert [record.message for record in caplog.records] == [
        "AutoLR: probes are trained together, 4 in one pass",
        "AutoLR: probes are trained one by one: a step changes an attribute of a module",
    ]
    assert runs[0][1] == pytest.approx(runs[1][1], rel=1e-5)
    assert largest_difference(runs[0][0], runs[1][0]) < 1e-5
    assert not hasattr(runs[0][2].model, "late")


def test_a_search_with_stacked_probes_counts_every_step_that_the_optimizer_makes(caplog):
    caplog.set_level(logging.INFO)

    def search(stack):
        torch.manual_seed(0)
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        made = []
        optimizer.register_step_post_hook(lambda *_: made.append(1))
        learner = autolr.TorchLearner(model, optimizer, batches(), loss)
        result = autolr.search(
            learner, 60, strategy=Annealed(budget=1.0), rates=(1e-3, 1.0), stack=stack
        )
        assert len(made) == 60 + result.probe_steps
        return result

    stacked, one_by_one = search(stack=True), search(stack=False)
    assert "trained together" in caplog.text
    assert (stacked.peak, stacked.probe_steps) == (one_by_one.peak, one_by_one.probe_steps)
    # up to 60 steps amplify what rounding did
    assert list(stacked.probes.score) == pytest.approx(list(one_by_one.probes.score), rel=1e-3)


@pytest.mark.parametrize(
    ("states", "kept", "together"),
    [(8, True, True), (7, True, False), (4, True, False), (4, False, True), (2, False, False)],
)
def test_left_to_itself_many_states_are_stacked_and_few_where_none_is_kept(
    states, kept, together, caplog
):
    caplog.set_level(logging.INFO)
    runs = [
        trained(Net, lambda m: adam(m.parameters()), stack=stack, states=states, kept=kept)
        for stack in (None, False)
    ]
    said = [record.message for record in caplog.records]
    assert said == [f"AutoLR: probes are trained together, {states} in one pass"] * together
    difference = largest_difference(runs[0][0], runs[1][0])
    assert difference < 1e-5
    assert together or difference == 0


def test_left_to_itself_it_says_why_many_states_are_not_stacked(caplog):
    caplog.set_level(logging.INFO)
    trained(Hooked, lambda model: adam(model.parameters()), stack=None, states=8)
    (record,) = caplog.records
    assert record.message == "AutoLR: probes are trained one by one: a module has hooks"


class Passing(Net):
    """Counts its passes."""

    passes = 0

    def forward(self, words):
        type(self).passes += 1
        return super().forward(words)


@pytest.mark.parametrize("again", [False, True], ids=["the same stepper", "one that goes on"])
def test_what_was_begun_in_one_pass_goes_on_so_when_states_drop_out(again):
    model = Passing()
    optimizer = adam(model.parameters())
    learner = autolr.TorchLearner(model, optimizer, batches(), loss)
    rates = Rates(optimizer)
    stepper = Stepper(learner, rates, Means())
    snapshots = [Snapshot(model, optimizer) for _ in range(8)]
    for states in (8, 3):
        learner.next_batch()
        Passing.passes = 0
        stepper.step(
            snapshots[:states], [1.0] * states, StepContext.capture(optimizer), stepped=True
        )
        stepper.settle()
        if again:
            decided = stepper.state_dict()
            stepper = Stepper(learner, rates, Means())
            stepper.load_state_dict(decided)
    assert Passing.passes == 1


@pytest.mark.parametrize("watched", [False, True])
def test_whoever_watches_the_optimizer_sees_a_step_of_each_state(watched):
    def make(model):
        optimizer = adam(model.parameters())
        if watched:
            optimizer.register_step_post_hook(lambda *_: made.append(1))
        return optimizer

    made = []
    stacked = trained(Net, make, stack=True)
    one_by_one = trained(Net, make, stack=False)
    assert len(made) == 2 * watched * STEPS * len(FACTORS)
    assert largest_difference(stacked[0], one_by_one[0]) < 1e-5


def test_without_leave_nothing_is_stacked(caplog):
    caplog.set_level(logging.INFO)
    trained(Net, lambda model: adam(model.parameters()), stack=False)
    assert not caplog.records
