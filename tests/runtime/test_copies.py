"""What copies of a run hold: what training changes, and nothing else."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch import nn

import autolr
from autolr.gpu_sharing import announced
from autolr.online import Annealed
from autolr.runtime.room import Room, free_bytes
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.torch_learner import TorchLearner

MIB = 2**20


class Probe(nn.Module):
    """A frozen network of 36 MiB with a head of 0.05 MiB."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(3072, 3072).requires_grad_(False)
        self.head = nn.Linear(3072, 4)

    def forward(self, inputs):
        return self.head(self.body(inputs))


def learner_of(model, optimizer=None, **settings):
    inputs = torch.randn(4, next(model.parameters()).shape[1])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(trained, lr=1e-3)
    return TorchLearner(model, optimizer, [inputs], lambda m, x: m(x).square().mean(), **settings)


def test_a_snapshot_copies_the_head_of_a_linear_probe_and_shares_its_body():
    model = Probe()
    learner = learner_of(model)
    learner.next_batch()
    learner.train()
    snapshot = Snapshot(model, learner.optimizer)
    head = sum(parameter.nbytes for parameter in model.head.parameters())
    assert snapshot.nbytes == pytest.approx(4 * head, rel=0.01)  # gradient and both moments of Adam
    assert snapshot.nbytes < 0.2 * MIB
    body, kept = model.body.weight.data_ptr(), model.head.weight.data_ptr()
    with snapshot.in_place():
        assert model.body.weight.data_ptr() == body
        assert model.head.weight.data_ptr() != kept


def test_a_search_of_a_linear_probe_says_that_its_copies_took_the_size_of_the_head():
    learner = learner_of(Probe())
    learner.next_batch()
    result = autolr.search(learner, 60, strategy=Annealed(race=0.2))
    assert 0.2 * MIB < result.copy_bytes < 2 * MIB
    assert autolr.Result.from_dict(result.to_dict()).copy_bytes == result.copy_bytes


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (100 * MIB, 8),  # half is left to the activations, 10 to the run's own first step
        (20 * MIB, 0),
        (35 * MIB, 1),
    ],
)
def test_before_the_first_step_half_of_the_free_memory_is_left_to_it(free, expected):
    room = Room(free=lambda _: free, of_a_step=lambda _: None)
    count, reason = room.left(torch.device("cpu"), 5 * MIB, 10 * MIB, 0)
    assert count == expected
    assert "a copy takes 5 MiB" in reason


def test_later_what_a_step_has_taken_is_left_to_the_next_ones():
    room = Room(free=lambda _: 100 * MIB, of_a_step=lambda _: 60 * MIB)
    assert room.left(torch.device("cpu"), 10 * MIB, 0, 2)[0] == 4


def test_a_trial_takes_its_part_of_what_is_free_on_a_gpu_that_several_share(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (90 * MIB, 100 * MIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 8 * MIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 3 * MIB)
    assert free_bytes(torch.device("cuda")) == 95 * MIB
    for name, value in announced(3).items():
        monkeypatch.setenv(name, value)
    assert free_bytes(torch.device("cuda")) == 35 * MIB  # 5 of them are its own already


def test_the_limit_of_the_user_counts_the_copies_that_are_held():
    assert Room(3).left(torch.device("cpu"), MIB, 0, 2) == (1, "max_copies=3")
    assert Room(3).left(torch.device("cpu"), MIB, 0, 4)[0] == 0


def test_weights_that_a_lazy_layer_makes_in_the_first_step_cannot_race_before_it():
    model = nn.Sequential(nn.LazyLinear(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    learner = TorchLearner(model, optimizer, [torch.ones(2, 4)], lambda m, x: m(x).square().mean())
    result = autolr.search(learner, 60, strategy=Annealed(race=0.2))
    first, *_ = result.copies
    assert (first.step, len(first.ended)) == (0, 2)  # of three peaks in so short a run
    assert first.reason == "a lazy module has no weights before the first step"
    assert len(result.scores) > 1  # later rivals have
