"""A schedule as it is printed: lengths have their units; its repr is the expression."""

import pytest

from autolr.schedules import (
    Schedule,
    clr,
    constant,
    cooldown,
    cosine,
    inverse_sqrt,
    linear,
    parse,
    warmup,
)


@pytest.mark.parametrize(
    ("schedule", "printed"),
    [
        (
            warmup(8) | constant() | cooldown(0.4, "linear"),
            "warmup(8 steps) | constant() | cooldown(40 %, shape='linear')",
        ),
        (
            (warmup(5) | constant()) * (constant().over(15) * 0.5),
            "(warmup(5 steps) | constant()) * (constant().over(15 steps) * 0.5)",
        ),
        ((linear() | cosine()).over(0.25), "(linear() | cosine()).over(25 %)"),
        (linear().every(1), "linear().every(1 step)"),
        (linear().every(0.125).floor(0.1), "linear().every(12.5 %).floor(0.1)"),
        (inverse_sqrt(30), "inverse_sqrt(tau=30 steps)"),
        (clr(half=0.25), "clr(half=25 %)"),
        (warmup(None), "warmup(the rest)"),
        (cosine().over(1.0), "cosine().over(100 %)"),
        (cosine() ** 2, "cosine() ** 2.0"),
    ],
)
def test_lengths_are_printed_with_their_units_and_stored_as_numbers(
    schedule: Schedule, printed: str
) -> None:
    assert str(schedule) == f"{schedule}" == printed
    assert "%" not in repr(schedule)
    assert "step" not in repr(schedule)
    assert parse(schedule.to_dict()) == schedule
