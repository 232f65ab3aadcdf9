"""Which spaces have every point of another one."""

from typing import Any

import pytest

from autolr.space import parse_space
from autolr.space.widening import accepted, grown, widened

OLD: dict[str, Any] = {
    "lr": {"low": 0.01, "high": 0.1, "log": True},
    "model.depth": {"low": 1, "high": 3, "type": "int"},
    "schedule": ["linear", "wsd"],
    "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
    "model.widths": [[64], [32, 32]],
}


def verdict(changes: dict[str, Any]) -> tuple[bool, tuple[str, ...]]:
    """Return whether a study may go on with the changed space, and what grew."""
    old = parse_space(OLD)
    new = grown(old, parse_space({**OLD, **changes}))
    return accepted(old, new) == new.to_dict(), widened(old, new)


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": {"low": 0.001, "high": 0.1, "log": True}},
        {"lr": {"low": 0.01, "high": 1.0, "log": True}},
        {"model.depth": {"low": 1, "high": 4, "type": "int"}},
        {"schedule": ["linear", "wsd", "rex"]},
        {"schedule": ["rex", "wsd", "linear"]},
        {"cooldown": {"low": 0.05, "high": 0.5, "when": {"schedule": "wsd"}}},
        {"model.widths": [[64], [32, 32], [16, 16, 16]]},
    ],
)
def test_a_space_with_more_values_is_accepted(changes: dict[str, Any]) -> None:
    assert verdict(changes) == (True, tuple(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": {"low": 0.02, "high": 1.0, "log": True}},
        {"lr": {"low": 0.01, "high": 0.05, "log": True}},
        {"lr": {"low": 0.01, "high": 1.0}},
        {"lr": [0.01, 0.1]},
        {"model.depth": {"low": 1, "high": 3}},
        {"schedule": ["wsd", "rex"]},
        {"cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": ["wsd", "linear"]}}},
        {"model.widths": [[64], [32, 16]]},
        {"model.heads": [1, 2]},
    ],
)
def test_a_space_that_lacks_a_point_or_has_a_new_parameter_everywhere_is_not(
    changes: dict[str, Any],
) -> None:
    assert not verdict({**changes})[0]


def test_a_parameter_may_be_added_under_new_choices_and_bounded_by_the_old_ones() -> None:
    old = parse_space({"rule": ["fixed"], "lr": {"low": 0.01, "high": 0.1}})
    new = {
        "rule": ["fixed", "dog"],
        "lr": {"low": 0.01, "high": 0.1, "when": {"rule": "fixed"}},
        "rule.alpha": {"low": 1e-6, "high": 1e-2, "when": {"rule": "dog"}},
    }
    space = grown(old, parse_space(new))
    assert accepted(old, space) == space.to_dict()
    elsewhere = {**new, "lr": {"low": 0.01, "high": 0.1, "when": {"rule": "dog"}}}
    space = grown(old, parse_space(elsewhere))
    assert accepted(old, space) != space.to_dict()


def test_choices_in_another_order_are_the_same_space() -> None:
    old = parse_space(OLD)
    again = parse_space({**OLD, "schedule": ["wsd", "linear"]})
    assert grown(old, again).to_dict() == old.to_dict()
