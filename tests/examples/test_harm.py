"""Verdicts of paired finals, with known answers."""

import math

import pytest

from examples.harm import Harm

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("finals", "defaults", "mode", "verdict"),
    [
        ([0.9, 0.9], [0.5, 0.5], "max", "better"),
        ([0.5, 0.5], [0.9, 0.9], "max", "worse"),
        ([0.5, 0.5], [0.9, 0.9], "min", "better"),
        ([-1.0], [-1.005], "min", "equal"),  # half a percent
        ([-1.0], [-1.1], "min", "worse"),
        ([NAN, 1.0], [1.0, 1.0], "min", "worse"),
        ([NAN, 1.0], [1.0, 1.0], "max", "worse"),
        ([NAN, 1.0], [INF, 1.0], "min", "equal"),
        ([NAN, 1.2], [INF, 1.0], "min", "equal"),  # within the error of 0 and 0.2
        ([1.0, 1.0], [NAN, 1.0], "min", "better"),
        ([NAN, 1.0], [1.0, NAN], "min", "equal"),
    ],
)
def test_a_final_that_is_no_number_is_the_worst_of_its_direction(finals, defaults, mode, verdict):
    assert Harm.of("a", finals, defaults, mode).verdict == verdict


def test_the_difference_is_shown_with_its_error_where_there_are_several_seeds() -> None:
    assert Harm.of("a", [1.0, 2.0], [1.0, 1.0]).paired_difference == "+0.5 ± 0.5"
    assert Harm.of("a", [1.0], [1.5]).paired_difference == "-0.5"
