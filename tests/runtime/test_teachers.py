"""A frozen copy of the network that the run itself changes: each rival has its own."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch
from torch import nn

import autolr
from autolr.online import Annealed
from autolr.runtime.torch_learner import TorchLearner

LR = 2.0**-5


@torch.no_grad()
def in_place(teacher, student):
    teacher.mul_(0.9).add_(student, alpha=0.1)


def by_assignment(teacher, student):
    teacher.data = 0.9 * teacher.data + 0.1 * student.data


def without_a_trace(teacher, student):
    teacher.data.mul_(0.9).add_(student.data, alpha=0.1)


class Distilled(nn.Module):
    """A student that is drawn to a slow copy of itself, as in BYOL."""

    def __init__(self, update, begins=0):
        super().__init__()
        torch.manual_seed(0)
        self.student = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.update, self.begins, self.calls = update, begins, 0

    def loss(self, inputs):
        self.calls += self.training
        if self.training and self.calls > self.begins:
            pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
            for teacher, student in pairs:
                self.update(teacher, student)
        drawn = (self.student(inputs) - self.teacher(inputs)).square().mean()
        return drawn + (self.student(inputs) - inputs[:, :2]).square().mean()


def learner_of(model):
    torch.set_num_threads(1)
    batches = torch.randn(30, 8, 4, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(model.student.parameters(), lr=LR, momentum=0.9)
    fresh = torch.randn(64, 4, generator=torch.Generator().manual_seed(2))
    return TorchLearner(
        model, optimizer, batches, lambda m, batch: m.loss(batch), validate=lambda m: m.loss(fresh)
    )


def replayed(result, model):
    """Return a model that plain torch has trained as the result says."""
    learner = learner_of(model)
    for group in learner.optimizer.param_groups:
        group["lr"] = result.peak
    schedule = result.schedule.timed(result.total_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(learner.optimizer, schedule)
    for _ in range(result.total_steps):
        learner.next_batch()
        learner.train()
        scheduler.step()
    return model


@pytest.mark.parametrize("update", [in_place, by_assignment, without_a_trace])
def test_the_winner_of_a_race_ends_with_the_teacher_that_it_has_made_itself(update):
    model = Distilled(update)
    strategy = Annealed(race=0.5, checks=(), budget=4.0)
    result = autolr.search(learner_of(model), 30, strategy=strategy, rates=(2.0**-10, 2.0**-2))
    assert result.peak != LR  # another one than the run began with
    assert result.copies == ()
    expected = replayed(result, Distilled(update)).state_dict()
    for name, value in model.state_dict().items():  # rates are products: of another order there
        assert torch.allclose(value, expected[name], rtol=1e-5, atol=1e-7), name


def test_rivals_end_where_a_frozen_parameter_is_first_changed_in_the_middle_of_a_race():
    model = Distilled(in_place, begins=5)
    strategy = Annealed(race=0.5, checks=(), budget=4.0)
    result = autolr.search(learner_of(model), 30, strategy=strategy, rates=(2.0**-10, 2.0**-2))
    (record,) = result.copies
    assert (record.step, len(record.ended)) == (5, 5)  # four peaks, and the user's own
    assert record.reason == "4 frozen parameters are changed by the run itself"
    expected = replayed(result, Distilled(in_place, begins=5)).state_dict()
    for name, value in model.state_dict().items():
        assert torch.allclose(value, expected[name], rtol=1e-5, atol=1e-7), name
