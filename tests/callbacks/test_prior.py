"""A search in a Trainer or a loop of one's own, around the peak of an earlier one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
from dataclasses import replace

import pytest
import torch
from torch import nn

from autolr import AutoLR, ConfigError, TorchLearner, Tuner, search
from autolr.result import Result
from tests.callbacks.test_record_norms import fit

STEPS = 400


def learner(optimizer=torch.optim.SGD, lr=0.02):
    torch.manual_seed(0)
    model, inputs = nn.Linear(4, 1), torch.randn(64, 4)

    def loss(model, batch):
        return (model(batch).squeeze(-1) - batch.sum(-1)).square().mean() + 1

    batches = [inputs[k::8] for k in range(8)]
    return TorchLearner(
        model,
        optimizer(model.parameters(), lr=lr),
        batches * STEPS,
        loss,
        validate=lambda m: float(loss(m, inputs)),
    )


@pytest.fixture(scope="module")
def earlier():
    return search(learner(), STEPS // 4)


def test_a_run_four_times_as_long_races_around_half_of_the_peak(earlier, caplog):
    caplog.set_level(logging.INFO)
    result = search(learner(), STEPS, prior=earlier)
    assert result.prior.before == earlier.peak
    assert (earlier.optimizer, result.optimizer) == ("SGD", "SGD")
    raced = {one.candidate.peak for one in result.scores if one.start == 0}
    near = result.prior.peak
    assert {near / 2, near, near * 2} <= raced
    assert raced <= {near / 2, near, near * 2, 0.02}
    assert any("the prior, a peak of" in line for line in caplog.messages)
    assert Result.from_dict(result.to_dict()) == result


def test_a_prior_of_another_optimizer_is_refused_before_the_first_step(earlier):
    run = learner(torch.optim.Adam)
    before = [p.clone() for p in run.model.parameters()]
    with pytest.raises(ConfigError, match=r"^prior must be a search of Adam, got 'a search of SGD"):
        search(run, STEPS, prior=earlier)
    assert all(map(torch.equal, before, run.model.parameters()))


def test_every_way_to_search_reads_a_prior_alike(earlier, tmp_path):
    run = learner()
    ways = (
        lambda prior: AutoLR(prior=prior),
        lambda prior: Tuner(run.model, run.optimizer, STEPS, prior=prior),
        lambda prior: search(run, STEPS, prior=prior),
    )
    for way in ways:
        with pytest.raises(ConfigError, match=r"^prior: path must be a folder with result\.json"):
            way(tmp_path)


def test_no_way_to_search_saves_over_its_prior(earlier, tmp_path):
    run = learner()
    earlier.save(tmp_path)
    ways = (
        lambda **both: AutoLR(**both),
        lambda **both: Tuner(run.model, run.optimizer, STEPS, **both),
        lambda **both: search(run, STEPS, **both),
    )
    for way in ways:
        with pytest.raises(ConfigError, match=r"^save_to must be another folder than prior"):
            way(prior=tmp_path, save_to=tmp_path)


def test_with_one_candidate_a_trainers_run_is_the_same(earlier):
    runs = [fit(AutoLR(rates=(0.02, 0.02), prior=prior)) for prior in (None, earlier)]
    pairs = zip(*(run.parameters() for run in runs), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_a_trainers_run_moves_it_too(earlier):
    callback = AutoLR(prior=earlier)
    fit(callback)
    moved = callback.result.prior
    assert (moved.before, moved.steps) == (earlier.peak, STEPS // 4)


def test_a_prior_far_from_the_rates_of_such_runs_is_said_and_leaves_the_search_as_it_is(
    earlier, caplog
):
    caplog.set_level(logging.INFO)
    result = search(learner(), STEPS, prior=replace(earlier, peak=1e4 * earlier.peak))
    alone = search(learner(), STEPS)
    assert result.prior is not None
    assert not result.prior.raced
    assert replace(result, prior=None) == alone
    said = [line for line in caplog.messages if "too far from the rates of such runs" in line]
    assert len(said) == 1
    assert "is moved to" not in caplog.text
