"""Scores of a run at rungs, beside a computation by hand."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
from torch import nn

import autolr
from autolr.runtime.rungs import RungScores


@pytest.fixture
def learner():
    """Return a run whose only weight rises by 1 a step, scored by that weight."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return autolr.TorchLearner(
        model,
        optimizer,
        [0],
        lambda model, _: -model.weight.sum(),
        validate=lambda model: model.weight.item(),
    )


def scored(learner, scores, steps):
    """Make so many steps; return the scores by step."""
    result = {}
    for _ in range(steps):
        learner.next_batch()
        learner.train()
        score = scores.observe_step(stepped=True)
        if score is not None:
            result[scores.step] = score
    return result


def test_a_score_is_that_of_the_mean_of_the_last_weights(learner):
    scores = RungScores(learner, (4, 10, 99), window=0.5)
    assert scored(learner, scores, 12) == {4: (3 + 4) / 2, 10: (6 + 7 + 8 + 9 + 10) / 5}
    assert learner.model.weight.item() == 12


def test_an_average_begins_behind_the_rung_before(learner):
    assert scored(learner, RungScores(learner, (4, 6), window=0.9), 6) == {4: 2.5, 6: 5.5}


def test_rungs_that_lie_behind_are_left_out(learner):
    assert scored(learner, RungScores(learner, (2, 4), window=0.5, step=2), 2) == {4: 1.5}


def test_a_step_that_only_accumulates_gradients_is_not_counted(learner):
    scores = RungScores(learner, (2,), window=0.5)
    assert scores.observe_step(stepped=False) is None
    assert scores.step == 0


def test_a_score_that_is_not_finite_is_infinite(learner):
    learner.model.weight.data.fill_(math.nan)
    assert scored(learner, RungScores(learner, (2,), window=0.5), 2) == {2: math.inf}


def test_batches_are_wanted_shortly_before_a_rung(learner):
    scores = RungScores(learner, (20,), window=0.5)
    wanted = []
    for step in range(25):
        if scores.wants_batch:
            wanted.append(step)
        scored(learner, scores, 1)
    assert wanted == list(range(12, 20))


def test_it_continues_from_a_checkpoint(learner):
    scores = RungScores(learner, (4, 10), window=0.5)
    scored(learner, scores, 8)
    state = scores.state_dict()
    resumed = RungScores(learner, (4, 10), window=0.5, step=8)
    resumed.load_state_dict(state)
    assert scored(learner, resumed, 2) == {10: 8.0}
