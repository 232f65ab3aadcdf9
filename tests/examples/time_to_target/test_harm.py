"""Harm and the softened scores, with known answers."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pandas as pd
import pytest

from examples.time_to_target import harm, table
from examples.time_to_target.oracle import Oracle
from examples.time_to_target.results import COLUMNS
from examples.time_to_target.workloads import HARD_STARTS, expanded

ORACLES = {
    "a": Oracle("a", 1.0, peak=0.1, profile="linear", sd=0.0, median=2.0),
    "b": Oracle(
        "b", 0.01, peak=0.1, profile="linear", sd=0.0, median=2.0, softening=0.02, test=0.04
    ),
}
DEFAULTS = {("a", 0): 2.0, ("a", 1): 2.2, ("b", 0): 0.04, ("b", 1): 0.04}


def runs(*rows):
    """Return rows of results.csv from (workload, seed, final) or (workload, seed, final, test)."""
    made = []
    for name, seed, final, *test in rows:
        costs = (10, 10, 1, 1.0, 0.5, math.isinf(final))
        made.append(("autolr", name, seed, 1.0, 10, final, 0.1, *costs, *(test or [math.nan])))
    return pd.DataFrame(made, columns=list(COLUMNS))


def harm_of(*rows):
    (line,) = harm.harms(runs(*rows), DEFAULTS)
    return line


def test_differences_are_paired_by_seed():
    line = harm_of(("a", 0, 2.1), ("a", 1, 2.2))
    assert (line.default, line.final) == pytest.approx((2.1, 2.15))
    assert line.difference == pytest.approx(0.05)
    assert line.error == pytest.approx(0.05)  # of 0.1 and 0
    assert line.seeds == 2


def test_a_task_is_worse_beyond_a_percent_and_beyond_a_standard_error():
    assert harm_of(("a", 0, 2.1), ("a", 1, 2.2)).verdict == "equal"  # one standard error
    assert harm_of(("a", 0, 2.01), ("a", 1, 2.21)).verdict == "equal"  # half a percent
    assert harm_of(("a", 0, 2.1), ("a", 1, 2.3)).verdict == "worse"
    assert harm_of(("a", 0, 1.9), ("a", 1, 2.1)).verdict == "better"


def test_a_run_that_diverged_is_worse():
    line = harm_of(("a", 0, math.inf), ("a", 1, 2.2))
    assert line.verdict == "worse"
    summary = harm.ratios(runs(("a", 0, math.inf)), DEFAULTS, ORACLES)
    assert summary is not None
    assert summary.worst == harm.WORST_RATIO


def test_runs_without_a_default_have_no_harm():
    assert harm.harms(runs(("c", 0, 1.0)), DEFAULTS) == []
    assert harm.ratios(runs(("a", 7, 1.0)), DEFAULTS, ORACLES) is None


def test_the_column_has_the_mean_its_error_over_seeds_and_the_worst_task():
    rows = runs(("a", 0, 2.0), ("a", 1, 1.1), ("b", 0, 0.1), ("b", 1, 0.04))
    summary = harm.ratios(rows, DEFAULTS, ORACLES)
    assert summary is not None
    assert summary.mean == pytest.approx((1.5 + 0.75) / 2)  # b is softened: 0.12 / 0.06
    assert summary.error == pytest.approx(0.375)
    assert (summary.worst, summary.worst_task) == (pytest.approx(1.5), "b")


def test_runs_of_the_default_in_the_results_come_before_the_stored_ones():
    rows = runs(("parity", 0, 0.123)).assign(method="default")
    defaults = harm.defaults_of(rows, scale=1.0)
    assert defaults["parity", 0] == 0.123
    assert {seed for name, seed in defaults if name == "parity"} >= {0, 1, 2, 20, 21, 22}
    assert harm.defaults_of(rows, scale=0.5) == {("parity", 0): 0.123}


def test_scores_and_test_scores_are_softened():
    (line,) = table.lines(runs(("b", 0, 0.04, 0.1)), ORACLES, ["autolr"], DEFAULTS)
    assert line.ratio == pytest.approx(2.0)  # 0.06 / 0.03
    assert line.test == pytest.approx(2.0)  # 0.12 / 0.06


def test_a_task_without_a_test_split_does_not_count_in_the_test_column():
    both = runs(("a", 0, math.inf), ("b", 0, 0.01, 0.04))
    (line,) = table.lines(both, ORACLES, ["autolr"])
    assert line.test == pytest.approx(1.0)
    (line,) = table.lines(runs(("b", 0, math.inf)), ORACLES, ["autolr"])
    assert line.test == pytest.approx(100.0)


def test_a_group_stands_for_its_workloads():
    assert expanded(["hard_starts"]) == list(HARD_STARTS)
    assert expanded(["parity", "hard_starts"]) == list(HARD_STARTS)
