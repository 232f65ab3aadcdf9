"""The arithmetic of the table, with known answers."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pandas as pd
import pytest

from examples.time_to_target import table
from examples.time_to_target.oracle import Oracle
from examples.time_to_target.results import COLUMNS

ORACLES = {
    "a": Oracle("a", loss=1.0, peak=0.1, profile="linear", sd=0.0, median=2.0),
    "b": Oracle("b", loss=2.0, peak=0.1, profile="linear", sd=0.5, median=6.0),
}


def row(
    method, workload, final, *, steps=10, passes=1, seconds=4.0, busy=3.0, seed=0, test=math.nan
):
    key = (method, workload, seed, 1.0)
    lost = math.isinf(final)
    return (*key, 10, final, 0.1, steps, 10, passes, seconds, busy, lost, test)


def line_of(*rows):
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    (line,) = table.lines(frame, ORACLES, ["adamw"])
    return line


def test_each_column_is_what_it_says():
    line = line_of(
        row("adamw", "a", 1.0, steps=10, passes=1),
        row("adamw", "b", 8.0, steps=14, passes=8, seconds=6.0, busy=2.0),
    )
    assert line.ratio == pytest.approx(2.0)  # of 1 and 4
    assert line.regret == pytest.approx(0.75)  # of 0 and (8 - 2) / (6 - 2)
    assert (line.worst, line.worst_task) == (4.0, "b")
    assert line.at_goal == 0.5
    assert line.price == pytest.approx(1.2)
    assert line.trained_price == 1.0
    assert line.passes == 4.5
    assert line.seconds == 5.0
    assert line.outside == pytest.approx(0.5)
    assert (line.diverged, line.runs) == (0, 2)


def test_the_goal_is_the_oracle_and_the_larger_of_a_percent_and_a_deviation():
    assert line_of(row("adamw", "a", 1.009)).at_goal == 1
    assert line_of(row("adamw", "a", 1.011)).at_goal == 0
    assert line_of(row("adamw", "b", 2.49)).at_goal == 1


def test_a_run_that_diverged_counts_as_a_hundred_oracles_and_is_counted():
    line = line_of(row("adamw", "a", math.inf), row("adamw", "b", 2.0))
    assert line.ratio == pytest.approx(10.0)
    assert line.regret == pytest.approx(5.0)  # of 10, the most that counts, and 0
    assert line.worst == 100.0
    assert line.diverged == 1


def test_a_better_run_than_the_oracle_has_a_negative_regret():
    assert line_of(row("adamw", "b", 1.0)).regret == pytest.approx(-0.25)


def test_replays_have_no_time():
    line = line_of(row("adamw", "a", 1.0, seconds=math.nan, busy=math.nan))
    assert "replayed" in table.cells(line)


def test_rows_come_in_the_order_of_the_methods_and_without_an_oracle_not_at_all():
    rows = [row("sgd", "a", 1.0), row("adamw", "a", 1.0), row("autolr", "c", 1.0)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    lines = table.lines(frame, ORACLES, ["adamw", "sgd", "autolr"])
    assert [line.method for line in lines] == ["adamw", "sgd"]


def test_autolrs_has_its_trained_steps_beside_its_price():
    frame = pd.DataFrame([row("autolrs", "a", 1.0, steps=20)], columns=list(COLUMNS))
    text = table.markdown(table.lines(frame, ORACLES, ["autolrs"]))
    assert "| 2.00* |" in text
    assert text.endswith("counting trained steps only, as its publication does: 1.00")
