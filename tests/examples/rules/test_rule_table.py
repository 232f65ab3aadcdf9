"""The table of rules: what a run counts, and what a row shows."""

import pandas as pd
import pytest

from examples.rules import table
from examples.rules.runs import SEARCHED, measure, methods
from examples.time_to_target.oracle import Oracle
from examples.time_to_target.results import Job

_SMALL = 0.02  # of a run's length


def oracle(name: str, loss: float) -> Oracle:
    return Oracle(name, loss, peak=0.1, profile="linear", sd=0.0, median=2 * loss)


def row(method: str, workload: str, final: float, evaluations: int) -> dict[str, object]:
    lost = final == float("inf")
    counts = {"run_steps": 100, "evaluations": evaluations, "diverged": lost}
    return {"method": method, "workload": workload, "final": final, **counts}


def test_a_row_has_ratios_to_the_oracle_and_what_they_cost() -> None:
    runs = pd.DataFrame(
        [
            row("sps_max", "a", 2.0, 100),
            row("sps_max", "b", 24.0, 100),
            row("sps_max" + SEARCHED, "a", 1.0, 125),
            row("ldog", "a", float("inf"), 100),
        ]
    )
    lost = "100.00 (1 diverged)"
    lines = table.markdown(runs, {"a": oracle("a", 1.0), "b": oracle("b", 3.0)}).splitlines()
    assert lines[2:] == [
        f"| ldog | distance | {lost} |  | {lost} | 1.00 | not searched |  |",
        "| sps_max | polyak | 2.00 | 8.00 | 4.00 | 1.00 | 1.00 | 1.25 |",
    ]


def test_every_rule_is_run_and_searched_where_its_peak_is() -> None:
    assert "dog" in methods()
    assert "dog" + SEARCHED not in methods()
    assert "adamw" + SEARCHED in methods()


@pytest.mark.parametrize(("method", "least", "most"), [("dog", 1.0, 1.0), ("armijo", 1.5, 20.0)])
def test_evaluations_are_counted_whatever_makes_them(
    method: str, least: float, most: float
) -> None:
    result = measure(Job(method, "logreg_digits", 0, _SMALL))
    evaluations, steps = result["evaluations"], result["run_steps"]
    assert isinstance(evaluations, int)
    assert isinstance(steps, int)
    assert least <= evaluations / steps <= most


def test_a_search_is_counted_too() -> None:
    result = measure(Job("fixed" + SEARCHED, "logreg_digits", 0, _SMALL))
    evaluations, steps = result["evaluations"], result["run_steps"]
    assert isinstance(evaluations, int)
    assert isinstance(steps, int)
    assert steps < evaluations <= 1.3 * steps
