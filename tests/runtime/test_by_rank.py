"""What a second process stores beside what the first one does."""
# mypy: allow-untyped-calls, allow-untyped-defs

import math
from typing import Any

import pytest
import torch

from autolr.runtime.by_rank import SAME, change_of, changed_by, marks_of
from autolr.runtime.equality import are_equal

FIRST: dict[str, Any] = {
    "weights": {"a": torch.arange(6.0), "b": torch.ones(2, 3, dtype=torch.bfloat16)},
    "scalar": torch.tensor(2),
    "rivals": [{"losses": [1.0, 2.0], "tensor": torch.zeros(0)}, {"losses": []}],
    "pair": (1, torch.tensor([True])),
    "best": None,
}


def other(**changes):
    return {**FIRST, **changes}


VALUES = [
    other(weights={"a": torch.arange(6.0) + 1, "b": FIRST["weights"]["b"]}),
    other(weights={"a": torch.arange(6.0)}),
    other(weights={"a": torch.arange(6), "b": torch.ones(3, 2, dtype=torch.bfloat16)}),
    other(rivals=[*FIRST["rivals"][:1], {"losses": [3.0]}]),
    other(rivals=FIRST["rivals"][:1], scalar=torch.tensor(3)),
    other(pair=(1, torch.tensor([False]))),
    other(best={"tensor": torch.ones(2)}, pair=[1, 2]),
    other(best=math.inf),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_change_leads_from_the_value_of_the_first_process_to_the_own_one(value):
    assert are_equal(changed_by(FIRST, change_of(value, marks_of(FIRST))), value)


def test_nothing_is_stored_of_what_is_equal():
    equal = {name: torch.clone(v) if name == "scalar" else v for name, v in FIRST.items()}
    assert change_of(equal, marks_of(FIRST)) is SAME


def test_of_a_tensor_that_is_equal_nothing_is_stored_beside_one_that_differs():
    change = change_of(VALUES[0], marks_of(FIRST))
    (names,) = change.values()
    assert [*names] == ["weights"]
    assert [*next(iter(names["weights"].values()))] == ["a"]
