"""What a study spends, and which of its runs count."""

import math
from typing import Any

import pytest

from examples.time_to_target.peers.budget import Budget, Spent, best
from examples.time_to_target.peers.problem import Point

GOOD: Point = {"x": 0.3, "kind": "good"}


def test_parts_are_paid_once_and_a_run_that_ends_is_kept(parabolas: Any) -> None:
    budget = Budget(parabolas, 2)
    first = budget.begin(GOOD)
    assert first.until(9) == pytest.approx(2 / 3)
    assert budget.spent == pytest.approx(1 / 3)
    assert not budget.ended
    assert first.until(27) == 0
    assert budget.spent == pytest.approx(1)
    assert [(one.spent, one.loss, one.point) for one in budget.ended] == [(1, 0, GOOD)]


def test_nothing_begins_or_goes_on_once_the_budget_is_spent(parabolas: Any) -> None:
    budget = Budget(parabolas, 1)
    waiting = budget.begin(GOOD)
    budget.begin(GOOD).until(27)
    with pytest.raises(Spent):
        waiting.until(1)
    with pytest.raises(Spent):
        budget.begin(GOOD)


def test_a_run_counts_when_it_ended_within_the_budget(parabolas: Any) -> None:
    budget = Budget(parabolas, 3)
    for x in (0.5, 0.3):
        budget.begin({"x": x, "kind": "good"}).until(27)
    assert best(budget.ended, 0.9) == math.inf
    assert best(budget.ended, 1.5) == pytest.approx(0.04)
    assert best(budget.ended, 2) == 0
