"""Tables in terminals of any width."""

import pytest
from rich.console import Console

from autolr.report import FittingTable

COLUMNS = ("trial", "val_loss", "lr", "hidden", "steps", "why")
ROWS = (
    ("1", "0.4529", "0.0001234", "128", "12000", ""),
    ("12", "0.04529", "0.1234", "64", "900", "not among the best third at its rung"),
)
TABLE = FittingTable(COLUMNS, ROWS, expendable=(4, 5, 3, 2), everything="--json has all")


def lines(width: int, table: FittingTable = TABLE) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def test_a_wide_terminal_gets_every_column() -> None:
    heads, _, *rows = lines(120)
    assert heads.split() == list(COLUMNS)
    assert rows[1].split(maxsplit=5) == list(ROWS[1])


@pytest.mark.parametrize("width", range(20, 120, 7))
def test_no_number_is_broken_and_no_line_is_too_long(width: int) -> None:
    heads, *rows = lines(width)
    assert max(map(len, (heads, *rows))) <= width
    shown = [name for name in heads.split() if name in COLUMNS]
    words = " ".join(rows).split()
    for name, first, second in zip(COLUMNS, *ROWS, strict=True):
        if name in shown and name != "why":
            assert first in words
            assert second in words


def test_what_is_left_out_is_named_with_the_command_that_has_it() -> None:
    text = " ".join(lines(44))
    assert lines(44)[0].split() == ["trial", "val_loss", "lr", "hidden"]
    assert "too wide for this terminal: steps, why (--json has all)" in text


def test_sentences_that_do_not_fit_stand_below_with_the_rows_that_have_them() -> None:
    why = "not among the best at its rung"
    rows = [("0", "0.45", ""), ("1", "0.5", "no data"), ("2", "0.75", why), ("3", "0.8", why)]
    table = FittingTable(("trial", "val_loss", "why"), rows, (1,), "--json has all", sentences=2)
    assert lines(80, table)[0].split() == ["trial", "val_loss", "why"]
    heads, _, *others = lines(30, table)
    assert heads.split() == ["trial", "val_loss"]
    assert " ".join(others[4:]) == f"trials 2, 3: {why} trial 1: no data"


@pytest.mark.parametrize("width", range(24, 48, 2))
def test_a_head_of_several_words_breaks_no_number(width: int) -> None:
    row = ("digits", "12345", "0", "0.0001234")
    table = FittingTable(("study", "complete", "not finite", "best"), [row], (2, 1), "all")
    heads, _, cells, *_ = lines(width, table)
    assert heads.split()[-1] == "best"
    assert {"digits", "0.0001234"} <= set(cells.split()) <= set(row)
