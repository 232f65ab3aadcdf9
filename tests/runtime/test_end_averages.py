"""Averages of a run's last weights."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch import nn

from autolr.runtime.end_averages import EndAverages
from autolr.runtime.plain_learner import PlainLearner


@pytest.fixture
def learner():
    model = nn.Linear(1, 1, bias=False)
    return PlainLearner(model, torch.optim.SGD(model.parameters(), 0.1), None, "min")


def train(averages, learner, values, windows, longer=0):
    """Give the weight these values after each step; ``longer``: as if so many more were to come."""
    for number, value in enumerate(values):
        with torch.no_grad():
            learner.model.weight.fill_(value)
        averages.sample(windows, len(values) - number + longer)


def means(averages, learner, windows):
    """Return the weight that each average leaves in place."""
    found = []
    for average in averages.of(windows):
        average.stay(lambda: None)
        found.append(learner.model.weight.item())
    return found


def test_each_is_over_its_own_number_of_last_steps(learner):
    averages = EndAverages(learner, lambda: True)
    train(averages, learner, [1.0, 2.0, 4.0, 8.0, 16.0], (2, 4))
    assert means(averages, learner, (2, 4)) == [12.0, 7.5]


def test_they_begin_anew_where_the_run_turns_out_longer(learner):
    averages = EndAverages(learner, lambda: True)
    train(averages, learner, [100.0, 200.0], (2, 4))
    train(averages, learner, [1.0, 2.0, 4.0, 8.0, 16.0], (2, 4))
    assert means(averages, learner, (2, 4)) == [12.0, 7.5]


def test_they_are_over_what_is_left_where_another_state_has_taken_the_place_of_the_run(learner):
    averages = EndAverages(learner, lambda: True)
    train(averages, learner, [100.0, 200.0], (4,), longer=2)
    averages.clear()
    train(averages, learner, [4.0, 8.0], (4,))
    assert means(averages, learner, (4,)) == [6.0]


def test_without_room_there_are_none(learner):
    averages = EndAverages(learner, lambda: False)
    train(averages, learner, [1.0, 2.0], (2,))
    assert averages.of((2,)) == [None]
    assert averages.nbytes == []
