"""Rules chosen inside a plain PyTorch run, on scikit-learn's handwritten digits."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
import re
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr import rules
from autolr.errors import ConfigError
from autolr.online import Annealed, Thresholds

STEPS = 160
LOW = {"lr": {"low": 1e-9, "high": 1e-8, "log": True}}  # the own optimizer goes nowhere
WHOLE = Annealed(budget=1.0)
ONCE = replace(WHOLE, thresholds=Thresholds(rollbacks=0))  # what is lost cannot be replayed


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


@pytest.fixture
def begin(digits):
    """Return a function that makes model, optimizer and learner; data order is the global RNG's."""
    images, labels = digits
    batches = DataLoader(TensorDataset(images[:600], labels[:600]), 32, shuffle=True)

    def make(optimizer_of=lambda parameters: torch.optim.SGD(parameters, lr=2.0**-6, momentum=0.9)):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)
        )

        def validate(model):
            return float(loss(model, (images[600:1000], labels[600:1000])))

        optimizer = optimizer_of(model.parameters())
        return model, autolr.TorchLearner(model, optimizer, batches, loss, validate=validate)

    return make


def replayed(begin, result):
    """Train as the page of a result says: the optimizer of the rule, LambdaLR, and no search."""
    settings = dict(result.rule_settings)
    model, learner = begin(
        lambda parameters: rules.build(result.rule, parameters, peak=result.peak, **settings)
    )
    timed = result.schedule.timed(result.total_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(learner.optimizer, timed)
    for _ in range(result.total_steps):
        learner.next_batch()
        learner.train()
        scheduler.step()
    learner.optimizer.take_averages()
    return list(model.state_dict().values())


@pytest.mark.parametrize(
    "space",
    [
        {"rule": ["fixed", "sps_max"]},
        {"rule": ["fixed", "ldog"], "rule.alpha": {"choices": 0.01, "when": {"rule": "ldog"}}},
        {"rule": "sps_max"},
    ],
    ids=["a rule with peaks", "a rule with averages", "a rule alone"],
)
def test_a_run_that_another_rule_has_won_is_replayed_bit_for_bit(begin, space):
    space = {**space, **(LOW if "fixed" in space["rule"] else {})}
    model, learner = begin()
    result = autolr.search(learner, STEPS, strategy=ONCE, candidates=space)
    assert result.rule in ("sps_max", "ldog")
    assert 0 < result.probe_steps <= STEPS
    assert all(map(torch.equal, model.state_dict().values(), replayed(begin, result)))


def test_where_the_own_optimizer_wins_rules_leave_no_trace(begin):
    ties = Thresholds(tie=1e6, share=1e6, margin=1e6, rollbacks=0)
    space = {"lr": 2.0**-6, "rule": ["fixed", "sps_max", "dog"]}
    searched, learner = begin()
    before = learner.optimizer
    strategy = replace(WHOLE, thresholds=ties)
    result = autolr.search(learner, STEPS, strategy=strategy, candidates=space)
    assert (result.rule, learner.optimizer) == ("fixed", before)
    assert len({scored.candidate.rule for scored in result.scores}) == 3
    plain, theirs = begin()
    followed = autolr.search(theirs, STEPS, schedule=result.schedule, rates=(2.0**-6, 2.0**-6))
    assert followed.probe_steps == 0
    assert all(map(torch.equal, searched.state_dict().values(), plain.state_dict().values()))


def test_a_space_of_the_own_optimizer_alone_leaves_no_trace_at_all(begin):
    space = {"lr": 2.0**-6, "rule": "fixed", "schedule": "constant"}
    searched, learner = begin()
    assert autolr.search(learner, STEPS, candidates=space).probe_steps == 0
    plain, theirs = begin()
    for _ in range(STEPS):
        theirs.next_batch()
        theirs.train()
    assert all(map(torch.equal, searched.state_dict().values(), plain.state_dict().values()))
    assert learner.optimizer.state_dict().keys() == theirs.optimizer.state_dict().keys()


def test_another_rule_takes_over_where_the_own_optimizer_diverges(begin):
    space = {"lr": 1e30, "rule": ["fixed", "sps_max"]}
    model, learner = begin()
    result = autolr.search(learner, STEPS, strategy=ONCE, candidates=space)
    assert (result.rule, type(learner.optimizer).__name__) == ("sps_max", "RuleOptimizer")
    assert "fixed" not in {scored.candidate.rule for scored in result.scores}
    assert all(map(torch.equal, model.state_dict().values(), replayed(begin, result)))


def test_rules_for_which_a_run_is_too_short_are_named(begin, caplog):
    caplog.set_level(logging.INFO)
    result = autolr.search(begin()[1], 120, candidates={"rule": ["dog", "ldog", "fixed"]})
    raced = {scored.candidate.rule for scored in result.scores}
    (line,) = [line for line in caplog.messages if "leaves out" in line]
    for rule in ("dog", "ldog"):
        assert bool(re.search(rf"\b{rule}\b", line)) == (rule not in raced)


def test_a_result_says_which_rule_won(begin, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    space = {**LOW, "rule": ["fixed", "sps_max"]}
    space |= {"rule.c": {"choices": 1.0, "when": {"rule": "sps_max"}}}
    result = autolr.search(begin()[1], STEPS, strategy=WHOLE, candidates=space, save_to=tmp_path)
    assert (result.rule, result.rule_settings) == ("sps_max", (("c", 1.0),))
    assert autolr.load_result(tmp_path) == result
    assert caplog.messages[-1].startswith("AutoLR: sps_max, peak ")
    page = (tmp_path / "result.html").read_text("utf-8")
    assert "Rule sps_max, peak rate" in page
    assert f"build(&#x27;sps_max&#x27;, model.parameters(), peak={result.peak!r}, c=1.0)" in page
    assert set(result.probes["rule"]) == {"fixed", "sps_max"}


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({"rule": ["fixed", "sps_mx"]}, "sps_mx"),
        ({"rule": ["dog"], "rule.alfa": 1.0}, "dog has no setting 'alfa'"),
        ({"rule": ["fixed", "dog"], "rule.alpha": 1e-3}, "fixed.*alpha"),
        ({"rule": ["fixed", "dog"], "rule.weight_decay": 0.1}, "fixed is the optimizer as it is"),
    ],
)
def test_what_cannot_race_is_refused_in_one_line_before_a_step(begin, space, match):
    _, learner = begin()
    with pytest.raises(ConfigError, match=match) as refused:
        autolr.search(learner, STEPS, candidates=space)
    assert "\n" not in str(refused.value)
    assert not learner.optimizer.state
