"""The policies of the search, on tasks that a plain loop can train."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from itertools import combinations

import pytest

from examples.time_to_target.policies import POLICIES, TASKS, End, _row
from examples.time_to_target.workloads import HARD_STARTS, WORKLOADS, make


@pytest.mark.parametrize("name", HARD_STARTS)
def test_a_hard_start_takes_part_if_neither_its_scheduler_nor_its_step_matters(name):
    task = make(name)
    assert (name in TASKS) == (task.default.scheduler is None and task.loss_at is None)


def test_all_workloads_take_part():
    assert set(WORKLOADS) <= set(TASKS)


def test_no_two_policies_are_the_same():
    assert all(one != other for one, other in combinations(POLICIES.values(), 2))


def test_a_row_has_the_means_of_both_groups_and_the_worst_run():
    ends = {
        ("mlp_flights", 0): End(1.0, 1.2, 0),
        ("mlp_flights", 1): End(1.21, 1.2, 1),
        ("parity", 0): End(2.0, 1.3, 0),
    }
    cells = [cell.strip() for cell in _row("default", ends).strip("|").split("|")]
    assert cells == [
        *("default", "1.100", "2.000", "1.10", "2.00"),
        *("2.00 parity, seed 0", "1.233", "1"),
    ]
