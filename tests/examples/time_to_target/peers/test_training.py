"""Runs that are left and continued."""

from dataclasses import replace

import pytest
import torch

from autolr.schedules import linear
from examples.time_to_target.joint.problem import Joint
from examples.time_to_target.loop import train
from examples.time_to_target.peers.peak_profile import PeakProfile
from examples.time_to_target.peers.training import TaskTraining
from examples.time_to_target.tasks_base import Task

STEPS = 54


def task() -> Task:
    """Return a short run with dropout."""
    problem = Joint("joint_digits", 3)
    return replace(problem.task({**problem.default, "dropout": 0.4}), steps=STEPS)


def test_a_run_in_parts_is_the_run_in_one_piece() -> None:
    torch.set_num_threads(1)
    whole = task()
    expected = train(whole, whole.make_optimizer(1e-2), linear())
    parts = TaskTraining(task(), 1e-2, linear())
    losses = []
    for part in (1, 3, 9, 27):
        losses.append(parts.until(part))
        torch.rand(5)  # what another run draws in between
    assert losses == [expected.curve[0], expected.curve[1], expected.curve[3], expected.final]
    assert parts.spent == 1


def test_a_run_that_diverges_ends_there_and_costs_no_more() -> None:
    run = TaskTraining(task(), 1e30, linear())
    assert run.until(9) == float("inf")
    spent = run.spent
    assert spent < 0.2
    assert run.until(27) == float("inf")
    assert run.spent == spent


def test_runs_of_one_workload_begin_alike_and_leave_each_other_alone() -> None:
    problem = PeakProfile("logreg_digits", 0, 0.01)
    first = problem.begin({"peak": 1.0, "profile": "linear"}).until(27)
    problem.begin({"peak": 0.1, "profile": "wsd"}).until(27)
    assert problem.begin({"peak": 1.0, "profile": "linear"}).until(27) == first
    assert problem.default["peak"] == pytest.approx(0.1)
