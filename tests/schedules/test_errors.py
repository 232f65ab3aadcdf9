"""What cannot work is refused where it enters, in one line."""

import functools
import math
import operator
from collections.abc import Callable

import numpy as np
import pytest

from autolr import schedules
from autolr.errors import ConfigError
from autolr.schedules import (
    Schedule,
    clr,
    constant,
    cooldown,
    cosine,
    exponential,
    inverse_sqrt,
    linear,
    onecycle,
    piecewise,
    polynomial,
    power_law,
    registry,
    rex,
    sgdr,
    step,
    tabulated,
    uba,
    untuned_warmup,
    warmup,
    wsd,
)
from autolr.settings import Array

BAD_SETTINGS: list[tuple[Callable[[], object], str]] = [
    (lambda: linear(1.5), r"final of linear must be a number within \[0, 1\], got 1.5"),
    (lambda: linear(True), "final of linear .* got True"),
    (lambda: linear(math.nan), "final of linear .* got nan"),
    (lambda: linear("0.1"), "final of linear .* got '0.1'"),  # type: ignore[arg-type]
    (lambda: linear(np.zeros((2, 2))), "final of linear"),  # type: ignore[arg-type]
    (lambda: polynomial(power=0), "power of polynomial must be a number above 0, got 0"),
    (lambda: polynomial(power=10**400), "power of polynomial"),
    (lambda: polynomial(power=math.inf), "power of polynomial"),
    (lambda: cosine(exponent=-1), "exponent of cosine"),
    (lambda: exponential(0), r"final of exponential must be a number within \(0, 1\], got 0"),
    (lambda: inverse_sqrt(0), "tau of inverse_sqrt"),
    (lambda: power_law(0), "tau of power_law must be a number above 0, got 0"),
    (lambda: power_law(9, exponent=0), "exponent of power_law"),
    (lambda: rex(1), r"beta of rex must be a number within \[0, 1\), got 1"),
    (lambda: uba(0), "phi of uba"),
    (lambda: step([]), "milestones of step must be at least 1 numbers in rising order"),
    (lambda: step([0.6, 0.3]), "milestones of step"),
    (lambda: step([0.3, 1.3]), "milestones of step"),
    (lambda: step("0.3"), "milestones of step"),  # type: ignore[arg-type]
    (lambda: onecycle(shape="cos"), "shape of onecycle must be one of 'cosine', 'linear'"),  # type: ignore[arg-type]
    (lambda: onecycle(three_phase=1), "three_phase of onecycle must be one of False, True"),  # type: ignore[arg-type]
    (lambda: onecycle(rise=0.6, three_phase=True), "rise of onecycle must be at most 0.5"),
    (lambda: clr(half=0), "half of clr"),
    (lambda: clr(mode="square"), "mode of clr"),  # type: ignore[arg-type]
    (lambda: sgdr(cycles=2.5), "cycles of sgdr must be a whole number of at least 1"),  # type: ignore[arg-type]
    (lambda: sgdr(cycles=0), "cycles of sgdr"),
    (lambda: sgdr(cycles=9, growth=1e100), "settings of sgdr must be less extreme"),
    (lambda: warmup(-0.1), "span of warmup must be a number of at least 0, or None, got -0.1"),
    (lambda: warmup(0.1, start=2), "start of warmup"),
    (lambda: untuned_warmup(1), "beta2 of untuned_warmup"),
    (lambda: cooldown(shape="sqrt"), "shape of cooldown must be one of 'linear', '1-sqrt'"),  # type: ignore[arg-type]
    (lambda: cooldown(shape="exp", final=0), "final of cooldown must be above 0"),
    (lambda: wsd(cooldown=-1), "cooldown of wsd must be a number of at least 0"),
    (lambda: piecewise([(0, 1)]), "points of piecewise must be at least 2 pairs"),
    (lambda: piecewise([(0, 1), (0, 0)]), "points of piecewise"),
    (lambda: piecewise([(0, 1), (1, -1)]), "points of piecewise"),
    (lambda: piecewise([(0, 1, 2), (1, 0, 1)]), "points of piecewise"),  # type: ignore[list-item]
    (lambda: piecewise([0, 1]), "points of piecewise"),  # type: ignore[list-item]
    (lambda: tabulated([]), "table of tabulated"),
    (lambda: tabulated([1, math.inf]), "table of tabulated"),
    (lambda: tabulated([-1.0] * 10_000), "table of tabulated"),
    (lambda: tabulated(np.ones((2, 2))), "table of tabulated"),
    (lambda: linear().over(-1), "span must be a number of at least 0, or None, got -1"),
    (lambda: linear().over(math.nan), "span must be"),
    (lambda: linear().floor(2), "level of floor"),
    (lambda: linear().every(0), "pace of every"),
    (lambda: linear() ** 0, "exponent of power"),
    (lambda: linear() * -1, "by of scale must be a number of at least 0, got -1"),
    (lambda: linear() * True, "by of scale"),
    (lambda: math.nan * linear(), "by of scale"),
]


@pytest.mark.parametrize(("make", "message"), BAD_SETTINGS)
def test_a_setting_that_cannot_work_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 200


@pytest.mark.parametrize("value", [
    "triangle",
    "chain",
    "",
    None,
    7,
    ["cosine"],
    {},
    {"kind": 3},
    {"kind": ["cosine"]},
    {"kind": "triangle"},
    {"kind": "piecewise"},
    {"kind": "cosine", "final": "0"},
    {"kind": "cosine", "final": None},
    {"kind": "cosine", "floor": 0.1},
    {"kind": "cosine", 3: 0.1},
    {"kind": "cosine", "parts": []},
    {"kind": "cosine", "span": "half"},
    {"kind": "wsd", "warmup": 0.6, "cooldown": 0.6},
    {"kind": "warmup", "span": True},
    {"kind": "chain", "parts": ["linear"]},
    {"kind": "chain", "parts": "linear"},
    {"kind": "chain", "parts": ["linear", {"kind": "nope"}]},
    {"kind": "product", "parts": ["linear", "cosine"], "by": 2},
    {"kind": "floor", "parts": ["linear"]},
    {"kind": "floor", "level": 0.1, "parts": []},
    {"kind": "floor", "level": 0.1, "parts": ["linear", "linear"]},
    {"kind": "scale", "by": "2", "parts": ["linear"]},
])  # fmt: skip
def test_parse_refuses_what_is_not_a_schedule(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        schedules.parse(value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown schedule 'triangle'; it must be one of: clr, "):
        schedules.parse("triangle")
    with pytest.raises(ConfigError, match="cosine has no setting 'floor'; it takes: final, exp"):
        schedules.parse({"kind": "cosine", "floor": 0.1})
    with pytest.raises(ConfigError, match="unknown schedule 'chain'"):
        schedules.settings_of("chain")


@pytest.mark.parametrize("text", [
    "", "{", "3", "null", '"nope"', '{"kind": "linear", "final": NaN}',
    '{"kind": "linear", "final": ' + "9" * 5000 + "}",
])  # fmt: skip
def test_text_that_is_not_a_schedule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Schedule.from_json(text)


def test_shares_of_more_than_the_whole_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"sum of the shares .* at most 1, got 1.2"):
        warmup(0.7) | constant() | cooldown(0.5)
    just_one = [0.142857142857143] * 7  # sums to 1 + 1e-15
    assert functools.reduce(operator.or_, map(constant().over, just_one)).at(5, 10) == 1


def test_spans_that_do_not_fit_in_a_run_are_refused_when_it_is_known() -> None:
    schedule = warmup(300) | linear() | cooldown(0.5)
    assert schedule.values(600).shape == (600,)
    for use in (schedule.values, schedule.timed, lambda n: schedule.at(0, n)):
        with pytest.raises(ConfigError, match=r"number of steps must be at least 350, .* got 100"):
            use(100)
    with pytest.raises(ConfigError, match=r"at least 101, .* got 100"):
        (warmup(51) | linear() | cooldown(0.5)).values(100)
    with pytest.raises(ConfigError, match="at least 300"):
        warmup(300).at(0, 100)


@pytest.mark.parametrize("total_steps", [0, -5, math.nan, math.inf, True, "100", None])
def test_the_length_of_a_run_must_be_a_positive_number(total_steps: float) -> None:
    for use in (linear().values, linear().timed, lambda n: linear().at(0, n)):
        with pytest.raises(ConfigError, match="total_steps must be"):
            use(total_steps)  # type: ignore[arg-type]


def test_values_need_a_whole_number_of_steps() -> None:
    with pytest.raises(ConfigError, match="total_steps must be a whole number"):
        linear().values(10.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [math.nan, True, "3", None])
def test_a_step_must_be_a_number(step: float) -> None:
    with pytest.raises(ConfigError, match="step must be a number"):
        linear().at(step, 10)


def test_a_schedule_made_by_hand_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="final of linear"):
        Schedule("linear", (("final", 2.0),))
    with pytest.raises(ConfigError, match="unknown schedule 'nope'"):
        Schedule("nope")
    for parts in ((), (linear(),), (linear(), linear() | cosine())):
        with pytest.raises(ConfigError, match="chain"):
            Schedule("chain", parts=parts)
    with pytest.raises(ConfigError, match="wsd cannot be made"):
        Schedule("wsd")
    with pytest.raises(ConfigError, match="floor must be made by its operator"):
        Schedule("floor", (("level", 0.5),), (linear().over(0.5),))


def test_operators_take_only_schedules_and_numbers() -> None:
    with pytest.raises(TypeError):
        linear() | 0.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        linear() * "cosine"  # type: ignore[operator]
    with pytest.raises(TypeError):
        cosine(floor=0.1)  # type: ignore[call-arg]


def test_a_profile_that_is_defined_again_replaces_its_older_self(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))

    def again(k: Array, n: float) -> Array:
        return np.ones_like(k)

    schedules.profile(again)
    assert repr(schedules.profile(again)()) == "again()"
    again.__module__ = "another"
    with pytest.raises(TypeError, match="two kinds of schedule are called 'again'"):
        schedules.profile(again)
    again.__name__ = "cosine"
    with pytest.raises(TypeError, match="two kinds of schedule are called 'cosine'"):
        schedules.profile(again)
