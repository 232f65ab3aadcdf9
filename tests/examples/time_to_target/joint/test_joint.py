"""The joint space: its price, its random runs, its study."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

from examples.time_to_target.joint.flops import FlopCounter, per_row
from examples.time_to_target.joint.problem import Joint, run_flops
from examples.time_to_target.joint.random_runs import compute, drawn, load, oracles
from examples.time_to_target.joint.study import autolr_tune
from examples.time_to_target.joint.workloads import Perceptron
from examples.time_to_target.peers.budget import Budget, Spent
from examples.time_to_target.peers.problem import Choice, Range
from examples.time_to_target.tasks_base import cross_entropy

DIGITS = Joint("joint_digits", 0)


def test_a_row_of_a_perceptron_costs_two_flops_for_each_weight_and_pass() -> None:
    first, others = 64 * 8, 8 * 8 + 8 * 10
    batch = torch.zeros(16, 64), torch.zeros(16, dtype=torch.long)
    forward, both = per_row(Perceptron(8, 0.5), cross_entropy, batch)
    assert forward == 2 * (first + others)
    assert both == 4 * first + 6 * others  # no gradient of the images


def test_a_run_at_the_default_costs_one_and_the_width_and_the_batch_size_change_that() -> None:
    before, run = FlopCounter.total, DIGITS.begin(DIGITS.default)
    run.until(1)
    assert run.spent == pytest.approx(1 / 27, rel=0.5)  # with the validation pass at its end
    assert FlopCounter.total - before > run.spent * run_flops("joint_digits")  # one before step 1
    run.until(27)
    assert run.spent == pytest.approx(1, abs=0.05)  # two passes for rungs
    wide = DIGITS.begin({**DIGITS.default, "width": 64, "batch_size": 64})
    wide.until(1)
    forward, both = 2 * (64 * 64 + 64 * 64 + 64 * 10), 4 * 64 * 64 + 6 * (64 * 64 + 64 * 10)
    paid = 20 * 64 * both + 640 * forward  # 20 steps and a validation pass
    assert wide.spent == pytest.approx(paid / run_flops("joint_digits"))


def test_random_points_are_of_the_space_and_repeat_themselves() -> None:
    for number in range(20):
        point = drawn(DIGITS.space, number)
        for name, domain in DIGITS.space.items():
            if isinstance(domain, Range):
                assert domain.low <= float(point[name]) <= domain.high
            else:
                assert isinstance(domain, Choice)
                assert point[name] in domain.values
        assert drawn(DIGITS.space, number) == point


def test_random_runs_that_are_stored_are_not_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("workload,number,spent,loss\njoint_digits,0,1.5,0.25\njoint_digits,1,0.5,0.5\n")
    compute(["joint_digits"], 2, path)
    assert len(load(path)) == 2
    assert oracles(path) == {"joint_digits": 0.25}


@pytest.mark.slow
def test_a_study_of_autolr_pays_for_its_search_and_ends_within_its_budget() -> None:
    budget = Budget(DIGITS, 1.5)
    with suppress(Spent):
        autolr_tune(budget, 0)
    assert budget.spent >= 1.5
    assert budget.ended[0].spent > 0.3  # a search at the smallest width and batch
    assert budget.ended[0].loss < 1
