"""Profiles chosen inside a plain PyTorch run, on scikit-learn's handwritten digits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr.errors import ConfigError
from autolr.online import Annealed, Thresholds

STEPS = 200
TIES = Thresholds(margin=1e6, rollbacks=0)  # nothing but the race is ever decided
SPACE = {"lr": {"low": 2.0**-8, "high": 2.0**-2, "log": True}, "schedule": ["linear", "cosine"]}
HIGH = {"lr": 2.0**-1, "schedule": ["linear", "exponential"]}  # so high that an early fall helps


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


@pytest.fixture
def begin(digits):
    """Return a function that makes model, optimizer and learner; data order is the global RNG's."""
    images, labels = digits
    batches = DataLoader(TensorDataset(images[:600], labels[:600]), 32, shuffle=True)

    def make(lr=2.0**-6):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        optimizer.made = 0
        optimizer.register_step_post_hook(lambda *_: setattr(optimizer, "made", optimizer.made + 1))

        def validate(model):
            torch.rand(3)  # a run without a search does not draw them
            return float(loss(model, (images[600:1000], labels[600:1000])))

        learner = autolr.TorchLearner(model, optimizer, batches, loss, validate=validate)
        return model, optimizer, learner

    return make


def state(model, optimizer):
    kept = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    return [*model.state_dict().values(), *kept, torch.get_rng_state()]


def search(begin, **settings):
    model, optimizer, learner = begin()
    result = autolr.search(learner, STEPS, **settings)
    assert optimizer.made == STEPS + result.probe_steps
    return result, state(model, optimizer)


def followed(begin, result):
    """Train as the documentation says: LambdaLR, and no autolr."""
    model, optimizer, learner = begin(lr=result.peak)
    timed = result.schedule.timed(result.total_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, timed)
    for _ in range(result.total_steps):
        learner.next_batch()
        learner.train()
        scheduler.step()
    return state(model, optimizer)


def test_copies_that_are_thrown_away_leave_no_trace_in_the_run(begin):
    strategy = Annealed(thresholds=TIES, budget=1.0)
    compared, ours = search(begin, strategy=strategy, candidates=SPACE)
    alone = Annealed(thresholds=TIES, checks=(), budget=1.0)
    plain, theirs = search(begin, strategy=alone, rates=(2.0**-8, 2.0**-2))
    assert sum(scored.annealed for scored in compared.scores) == 3
    assert compared.probe_steps > plain.probe_steps
    assert (compared.peak, compared.schedule) == (plain.peak, plain.schedule)
    assert all(map(torch.equal, ours, theirs))


def test_a_space_of_one_point_leaves_no_trace_at_all(begin):
    result, ours = search(begin, candidates={"lr": 2.0**-6, "schedule": "cosine"})
    assert (result.peak, result.probe_steps) == (2.0**-6, 0)
    assert all(map(torch.equal, ours, followed(begin, result)))


def test_a_run_that_changed_its_profile_is_replayed_bit_for_bit(begin):
    strategy = Annealed(thresholds=Thresholds(rollbacks=0))
    result, ours = search(begin, strategy=strategy, candidates=HIGH)
    (won,) = [scored for scored in result.scores if scored.annealed and scored.kept]
    assert result.schedule == won.candidate.schedule
    assert repr(result.schedule).endswith(("linear()", "exponential()"))
    assert all(map(torch.equal, ours, followed(begin, result)))


@pytest.mark.parametrize("candidates", [SPACE, "default", "profiles"])
def test_the_price_stays_under_the_budget(begin, candidates):
    result, _ = search(begin, candidates=candidates)
    assert 0 < result.probe_steps <= 0.25 * STEPS


def test_a_run_too_short_for_any_search_has_none_of_its_profiles(begin):
    _, _, learner = begin()
    result = autolr.search(learner, 10, candidates=SPACE)
    assert not result.scores
    assert result.schedule == autolr.schedules.constant()


def test_the_published_algorithm_has_no_profiles(begin):
    with pytest.raises(ConfigError, match="AutoLRS searches rates only"):
        autolr.search(begin()[2], STEPS, strategy="autolrs", candidates=SPACE)


def test_a_result_with_profiles_is_saved_and_drawn(begin, tmp_path):
    result, _ = search(begin, strategy=Annealed(budget=1.0), candidates=SPACE, save_to=tmp_path)
    assert autolr.load_result(tmp_path) == result
    page = (tmp_path / "result.html").read_text("utf-8")
    assert "Schedules compared" in page
    assert page.count("cosine()") >= 1
