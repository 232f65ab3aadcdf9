"""The points of a finite space, and how far they are apart."""

from typing import Any

import pytest

from autolr.errors import SpaceError
from autolr.space import Space, nearest, parse_points, parse_space

SPACE = parse_space(
    {
        "rule": ["sgd", "adam", "lion"],
        "lr": [0.001, 0.01, 0.1],
        "momentum": {"choices": [0.0, 0.9], "when": {"rule": "sgd"}},
        "layers": {"low": 1, "high": 4, "type": "int"},
    }
)


@pytest.mark.parametrize(
    "space",
    [SPACE, parse_space({"lr": 0.1}), parse_space({"a.b": {"low": 3, "high": 9, "type": "int"}})],
)
def test_all_points_are_whole_and_different_and_as_many_as_the_space_is_large(space: Space) -> None:
    points = list(space.points())
    assert len(points) == space.size
    assert all(space.active(point) == tuple(point) for point in points)
    assert all(point not in points[:index] for index, point in enumerate(points))


def point(**values: Any) -> dict[str, Any]:
    return {"rule": "adam", "lr": 0.01, "layers": 2, **values}


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], point()),
        ([point()], point(layers=1)),  # 1/3 away, as 3 layers are: the first one counts
        ([point(), point(layers=1)], point(layers=3)),
        ([point(layers=n) for n in (1, 2, 3)], point(lr=0.001)),  # 1/2; 4 layers are 2/3
        (
            [point(layers=n, lr=r) for n in (1, 2, 3, 4) for r in (0.001, 0.01, 0.1)],
            point(rule="lion"),
        ),
    ],
)
def test_the_nearest_point_has_few_other_words_and_near_numbers(
    taken: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    assert nearest(SPACE, point(), lambda other: other not in taken) == expected


def test_a_range_on_a_log_scale_has_its_distances_there() -> None:
    space = parse_space({"width": {"low": 1, "high": 64, "type": "int", "log": True}})
    assert nearest(space, {"width": 4}, lambda p: p["width"] in (1, 9)) == {"width": 9}


def test_there_is_no_nearest_point_where_none_fits() -> None:
    assert nearest(SPACE, point(), lambda _: False) is None


GIVEN = parse_space(
    {
        "lr": {"low": "1e-4", "high": 0.1, "log": True},
        "schedule": ["linear", "wsd"],
        "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
        "layers": {"low": 1, "high": 4, "type": "int"},
        "data.shuffle": [True, False],
    }
)


def test_values_that_a_user_names_become_those_of_trials() -> None:
    given = [{"layers": 2.0, "lr": "1e-3"}, {"schedule": "wsd", "cooldown": "0.1"}]
    first, second = parse_points(GIVEN, given, "start")
    assert [*first.items()] == [("lr", 0.001), ("layers", 2)]
    assert type(first["layers"]) is int
    assert second == {"schedule": "wsd", "cooldown": 0.1}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (3, "start.1 must be a mapping from parameters to values, got 3"),
        ({}, "start.1 must be a mapping from parameters to values, got {}"),
        ({"layer": 1}, "start.1: unknown parameter 'layer'; did you mean 'layers'?"),
        ({"lr": 1.0}, "start.1: lr must be within [0.0001, 0.1], got 1.0"),
        ({"lr": "fast"}, "start.1: lr must be a finite number, got 'fast'"),
        ({"lr": [0.1]}, "start.1: lr must be a finite number, got [0.1]"),
        ({"layers": 2.5}, "start.1: layers must be a whole number with type: int, got 2.5"),
        ({"schedule": "cosine"}, "start.1: schedule must be one of linear, wsd, got 'cosine'"),
        ({"data.shuffle": 1}, "start.1: data.shuffle must be one of True, False, got 1"),
        (
            {"cooldown": 0.2},
            "start.1: cooldown exists only where schedule is wsd, so give schedule",
        ),
        (
            {"cooldown": 0.2, "schedule": "linear"},
            "start.1: cooldown exists only where schedule is wsd, got linear",
        ),
    ],
)
def test_a_point_that_the_space_does_not_have_is_refused_in_one_line(
    given: object, line: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        parse_points(GIVEN, [{"lr": 0.01}, given], "start")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
