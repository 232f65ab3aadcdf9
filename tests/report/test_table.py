import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from autolr.report import (
    FittingTable,
    best_table,
    brackets_table,
    chosen,
    params_text,
    trials_frame,
)
from autolr.study import TrialRecord
from autolr.study.records import State


def made(
    number: int,
    state: State = "COMPLETE",
    value: float | None = None,
    params: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> TrialRecord:
    """Return a trial that was never scored at a rung."""
    return TrialRecord(number, state, value, params or {}, attrs or {}, {})


def text(table: Table | FittingTable) -> list[list[str]]:
    """The table as printed, line by line and word by word."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return [line.split() for line in captured.get().splitlines() if line.strip()]


def test_a_frame_has_a_column_for_every_metric_and_parameter():
    rows = [
        made(0, value=0.5, params={"lr": 0.1}, attrs={"metrics": {"val_loss": 0.5, "f1": 0.9}}),
        made(1, "PRUNED", params={"lr": 0.2, "beta": 3}, attrs={"reason": "diverged", "steps": 7}),
    ]
    frame = trials_frame(rows)
    assert frame["number"].tolist() == [0, 1]
    assert frame["state"].tolist() == ["COMPLETE", "PRUNED"]
    assert frame["lr"].tolist() == [0.1, 0.2]
    assert frame["f1"][0] == 0.9
    assert math.isnan(frame["f1"][1])
    assert frame["beta"][1] == 3
    assert frame["steps"][1] == 7
    assert frame["reason"][1] == "diverged"


def test_a_metric_called_like_a_column_is_kept_apart():
    metrics = {"steps": 3.0, "lr": 0.01}
    (row,) = trials_frame(
        [made(0, params={"lr": 0.1}, attrs={"metrics": metrics, "steps": 48})]
    ).to_dict("records")
    assert (row["lr"], row["metric.lr"]) == (0.1, 0.01)
    assert (row["steps"], row["metric.steps"]) == (48, 3.0)


def test_a_frame_of_no_trials_has_the_columns_that_all_share():
    frame = trials_frame([])
    assert len(frame) == 0
    assert {"number", "state", "value", "steps", "reason"} <= set(frame.columns)


def test_the_table_of_the_best_keeps_their_order_and_shortens_names():
    rows = [
        made(
            4,
            value=0.25,
            params={"lr": 0.1, "model.init_args.hidden": 8},
            attrs={"metrics": {"val_loss": 0.25, "val_acc": 0.9}, "steps": 50},
        ),
        made(2, value=0.5, params={"lr": 0.00123456}, attrs={"steps": 48}),
    ]
    heads, _, first, second = text(best_table(rows, "val_loss"))
    assert heads == ["trial", "val_loss", "val_acc", "lr", "hidden", "steps", "seconds"]
    assert first == ["4", "0.25", "0.9", "0.1", "8", "50"]
    assert second == ["2", "0.5", "0.001235", "48"]


def test_a_peak_of_the_online_search_replaces_the_rate():
    found = {"found": {"peak": 0.016}}
    assert chosen(made(0, params={"lr": "online", "warmup": 0.1}, attrs=found)) == {
        "lr": 0.016,
        "warmup": 0.1,
    }
    assert chosen(made(0, params={"schedule": "wsd"}, attrs=found)) == {
        "lr": 0.016,
        "schedule": "wsd",
    }
    assert chosen(made(0, params={"lr": 0.5}, attrs={"found": {"peak": 0.5}})) == {"lr": 0.5}
    assert chosen(made(0, params={"lr": "online"})) == {"lr": "online"}


def test_brackets_are_listed_with_their_rungs_and_shares():
    lines = text(brackets_table([(0, (5, 16), 0.6), (1, (), 0.4)]))
    assert lines[2:] == [["0", "5,", "16", "60%"], ["1", "never", "40%"]]


def test_parameters_are_params_textd_in_one_line():
    params = {
        "lr": 0.00123456,
        "schedule": "wsd",
        "model.init_args.hidden": 16,
        "data.shuffle": True,
    }
    assert params_text(params) == "lr=0.001235 schedule=wsd hidden=16 shuffle=True"
    assert params_text({}) == ""


def test_a_choice_of_none_is_told_from_a_parameter_that_is_absent():
    trials = [made(0, value=0.5, params={"width": None}), made(1, value=0.6, params={"depth": 2})]
    _, _, first, second = text(best_table(trials, "val_loss"))
    assert first == ["0", "0.5", "null"]
    assert second == ["1", "0.6", "2"]
    assert params_text({"width": None}) == "width=null"
