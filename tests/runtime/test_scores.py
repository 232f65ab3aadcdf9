"""Scores by batch, that of the untrained weights, and units that have ceased to learn."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import autolr
from autolr.online import Annealed, Commit, Probe
from autolr.runtime.inactive import inactive_units
from autolr.runtime.score import Score
from autolr.runtime.scoring import by_batch as of_scores
from tests.runtime.scripted import RIVAL, RUN, VALIDATION, by_batch, learner, searched

RACE = Probe((RUN, RIVAL), 0, 6, 2)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def untrained():
    return by_batch(learner().model.eval())


# --- by batch


def test_the_score_of_several_batches_is_their_mean():
    expected = tuple(untrained())
    score = learner().validate()
    assert score == Score(sum(expected) / VALIDATION, expected)


def test_where_higher_is_better_the_score_of_each_batch_is_turned_around_too():
    score = learner(mode="max").validate()
    assert score.by_batch == tuple(-value for value in untrained())
    assert score.value == pytest.approx(-sum(untrained()) / VALIDATION)


@pytest.mark.parametrize("kind", [float, torch.tensor], ids=["a number", "a tensor"])
def test_a_single_number_has_no_batches(kind):
    assert learner(lambda model: kind(0.5)).validate() == Score(0.5)


def test_a_tensor_of_several_values_is_one_of_batches():
    assert learner(lambda model: torch.tensor([0.25, 0.75])).validate() == Score(0.5, (0.25, 0.75))


def test_a_strategy_gets_them_in_the_order_of_the_candidates():
    _, _, (seen,) = searched(RACE, Commit(RUN))
    assert len(seen.batch_scores) == 2
    for score, batches in zip(seen.scores, seen.batch_scores, strict=True):
        assert len(batches) == VALIDATION
        assert score == sum(batches) / VALIDATION


def test_without_batches_it_gets_none():
    _, _, (seen,) = searched(RACE, Commit(RUN), run=learner(lambda model: sum(by_batch(model))))
    assert (seen.batch_scores, seen.initial_batches) == (None, None)
    assert seen.initial == pytest.approx(sum(untrained()))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([Score(1.0, (1.0,)), Score(2.0, (2.0,))], ((1.0,), (2.0,))),
        ([Score(1.0, (1.0,)), Score(math.inf)], ((1.0,), ())),
        ([Score(1.0, (1.0,)), Score(2.0, (1.0, 3.0))], None),
        ([Score(1.0), Score(2.0)], None),
        ([Score(math.inf), Score(math.nan)], None),
        ([], None),
    ],
)
def test_scores_are_compared_by_batch_where_all_that_are_finite_have_the_same(scores, expected):
    assert of_scores(scores) == expected


# --- of the untrained weights


def test_the_score_of_the_untrained_weights_costs_one_pass():
    _, result, (first, second) = searched(RACE, Probe((RUN, RIVAL), 8, 12, 2), Commit(RUN))
    assert first.initial == sum(untrained()) / VALIDATION
    assert first.initial_batches == tuple(untrained())
    assert (second.initial, second.initial_batches) == (first.initial, first.initial_batches)
    assert result.validation_passes == 1 + 4


def test_a_single_candidate_is_scored_once_and_its_untrained_weights_never():
    _, result, (seen,) = searched(Probe((RUN,), 0, 6, 2), Commit(RUN))
    assert (seen.initial, seen.initial_batches) == (None, None)
    assert result.validation_passes == 1


def test_without_validation_the_untrained_weights_have_no_score():
    _, result, (seen,) = searched(RACE, Commit(RUN), run=learner(validate=None))
    assert (seen.initial, seen.batch_scores, result.validation_passes) == (None, None, 0)


def test_a_run_that_is_compared_only_later_has_its_untrained_weights_scored_as_it_begins():
    _, result, (seen,) = searched(Probe((RUN, RIVAL), 9, 12, 2), Commit(RUN))
    assert seen.initial == sum(untrained()) / VALIDATION
    assert result.validation_passes == 1 + 2


def test_the_pass_over_the_untrained_weights_leaves_the_generators_as_they_were():
    def draws(model):
        torch.rand(7)
        return by_batch(model)

    def final(validate):
        run, *_ = searched(RACE, Commit(RUN), run=learner(validate))
        return [*run.model.state_dict().values(), torch.get_rng_state()]

    assert all(map(torch.equal, final(draws), final(by_batch)))


# --- units that have ceased to learn


def after_a_step(model, inputs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(inputs).square().sum().backward()
    return inactive_units(model, optimizer)


def rectified(dead):
    """Return a network whose first so many of four units are negative on all inputs."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.fill_(0.1)
        model[0].bias.fill_(1.0)
        model[0].bias[:dead] = -10.0
    return model


@pytest.mark.parametrize("dead", range(5))
def test_a_rectified_unit_that_is_negative_on_all_inputs_is_inactive(dead):
    assert after_a_step(rectified(dead), torch.ones(5, 3)) == dead / 4


def test_the_largest_share_of_any_layer_counts():
    model = nn.Sequential(nn.Linear(3, 3), *rectified(1))
    with torch.no_grad():
        model[0].weight.fill_(0.1)
    assert after_a_step(model, torch.ones(5, 3)) == 1 / 4


def test_rows_of_embeddings_that_a_batch_does_not_have_are_no_inactive_units():
    class Looks(nn.Module):
        def __init__(self, tied):
            super().__init__()
            self.table = nn.Embedding(100, 4)
            self.head = nn.Linear(4, 2)
            if tied:
                self.head = nn.Linear(4, 100)
                self.head.weight = self.table.weight

        def forward(self, index):
            return self.head(self.table(index))

    for tied in (False, True):
        assert after_a_step(Looks(tied), torch.arange(5)) == 0


def test_without_gradients_no_unit_is_inactive():
    model = nn.Linear(3, 2).requires_grad_(False)
    model.bias.requires_grad_(True)
    optimizer = torch.optim.SGD([model.bias], lr=0.1)
    assert inactive_units(model, optimizer) == 0


def test_filters_that_get_no_gradient_are_inactive():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    inputs = torch.rand(5, 1, 6, 6)
    model(inputs)
    with torch.no_grad():
        model[0].bias[0] = -100.0
    assert after_a_step(model, inputs) >= 1 / 4


def test_a_strategy_gets_the_share_of_each_candidate():
    run = learner()
    with torch.no_grad():
        run.model[0].bias[:2] = -100.0
    _, _, (seen,) = searched(replace(RACE, counts_inactive=True), Commit(RUN), run=run)
    assert len(seen.inactive) == 2
    assert min(seen.inactive) >= 2 / 8
    _, _, (not_asked,) = searched(RACE, Commit(RUN))
    assert not_asked.inactive == ()


# --- and with one candidate


def test_with_one_candidate_nothing_of_this_does_anything():
    run, *_ = searched(Probe((RUN,), 0, 6, 2), Probe((RUN,), 9, 12, 2), Commit(RUN))
    plain = learner()
    for _ in range(24):
        plain.next_batch()
        plain.train()
    assert all(map(torch.equal, run.model.state_dict().values(), plain.model.state_dict().values()))
    single = learner()
    result = autolr.search(
        single, 24, strategy=Annealed(budget=1.0), rates=(RUN.peak, RUN.peak), schedule="constant"
    )
    assert (result.probe_steps, len(result.scores)) == (0, 1)
    assert all(
        map(torch.equal, single.model.state_dict().values(), plain.model.state_dict().values())
    )
