"""Lists and mappings in one line of a table."""

from typing import Any

import pytest

from autolr.report.value_text import plain_text

STOP = {"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss", "patience": 2}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"class_path": "torch.optim.Adam"}, "Adam"),
        ({"class_path": "a.B", "init_args": {"net": {"class_path": "a.C"}}}, "B(net=C)"),
        ([STOP], '[EarlyStopping(monitor="val/loss", patience=2)]'),
        ('[{"class_path": "a.B"}, null]', "[B, null]"),
        ({"b": 1, "a": [0.5]}, '{"a": [0.5], "b": 1}'),
        ("[no JSON", "[no JSON"),
        ("linear", "linear"),
        (True, "true"),
    ],
)
def test_a_class_with_its_arguments_is_a_call_and_all_else_is_json(value: Any, text: str) -> None:
    assert plain_text(value) == text
