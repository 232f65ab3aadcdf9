"""The operators, and closed forms of the profiles."""

import inspect
import math

import numpy as np
import pytest

from autolr import schedules
from autolr.schedules import (
    Schedule,
    constant,
    cooldown,
    cosine,
    linear,
    onecycle,
    piecewise,
    polynomial,
    power_law,
    rex,
    sgdr,
    step,
    tabulated,
    uba,
    untuned_warmup,
    warmup,
    wsd,
)
from tests.schedules.reference import power_scheduler


def same(one: Schedule, other: Schedule, total_steps: int = 100) -> bool:
    return np.allclose(one.values(total_steps), other.values(total_steps), rtol=0, atol=1e-12)


def mean(schedule: Schedule) -> float:
    """The mean multiplier by the trapezoid rule, whose error here is about 1e-9."""
    n = 100_000
    return float(schedule.values(n).sum() - schedule.at(0, n) / 2 + schedule.at(n, n) / 2) / n


@pytest.mark.parametrize("phi", [0.1, 0.5, 1, 2, 5, 10])
def test_the_mean_of_uba_is_known(phi: float) -> None:
    assert mean(uba(phi)) == pytest.approx(1 / (1 + math.sqrt(phi / 2)), abs=1e-8)


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.9])
def test_the_mean_of_rex_is_known(beta: float) -> None:
    expected = 1 / beta + (1 - beta) * math.log(1 - beta) / beta**2
    assert mean(rex(beta)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (uba(2), cosine()),
        (rex(0), linear()),
        (polynomial(), linear()),
        (sgdr(cycles=1), cosine()),
        (piecewise([(0, 1), (1, 0)]), linear()),
        (linear() ** 2, polynomial(2)),
        (cosine().floor(0.1), cosine(final=0.1)),
        (cosine(exponent=3), cosine() ** 3),
        (cooldown(None, "cosine"), cosine()),
        (linear().every(1), linear()),
        (onecycle(rise=0, start=1), onecycle(rise=0, start=0.5)),
    ],
)
def test_two_ways_to_write_a_schedule_are_equal(one: Schedule, other: Schedule) -> None:
    assert same(one, other)


def test_each_part_of_a_chain_starts_at_the_level_where_the_last_one_ended() -> None:
    chain = linear(final=0.5).over(0.5) | linear(final=0.2)
    assert [chain.at(k, 100) for k in (0, 25, 50, 75, 100)] == pytest.approx(
        [1, 0.75, 0.5, 0.3, 0.1], abs=1e-12
    )
    halves = linear(0.5) | linear(0.5) | linear(0.5)
    assert [halves.at(k, 30) for k in (10, 20, 25, 30)] == [0.5, 0.25, 0.1875, 0.125]


def test_parts_without_a_span_share_the_rest() -> None:
    chain = warmup(20) | constant() | linear()
    assert chain.values(100)[20:60] == pytest.approx(1)
    assert chain.at(80, 100) == pytest.approx(0.5)


def test_chaining_is_associative() -> None:
    a, b, c = warmup(0.1), constant(), cooldown(0.2)
    assert (a | b) | c == a | (b | c)
    assert (a * b) * c == a * (b * c)


def test_spans_up_to_1_are_shares_and_above_they_are_steps() -> None:
    assert same(warmup(0.1) | linear(), warmup(10) | linear())
    assert not same(warmup(0.1) | linear(), warmup(10) | linear(), total_steps=200)
    assert linear().over(1).at(50, 100) == 0.5


def test_a_share_of_a_nested_chain_is_a_share_of_that_chain() -> None:
    nested = (warmup(0.5) | constant()).over(0.2) | linear()
    assert same(nested, warmup(10) | constant().over(10) | linear())


def test_a_schedule_with_a_span_of_its_own_holds_its_end() -> None:
    assert linear(final=0.5).over(0.5).values(4) == pytest.approx([1, 0.75, 0.5, 0.5])


def test_a_span_of_zero_takes_a_part_out() -> None:
    assert same(warmup(0) | linear() | cooldown(0), linear())
    assert same(wsd(warmup=0, cooldown=0), constant())


def test_the_first_step_of_a_warm_up_is_one_nth() -> None:
    assert (warmup(0.1) | constant()).values(50)[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert warmup(5, start=0).values(50)[:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_a_span_moves_outside_of_the_operators_on_it() -> None:
    chain = constant() | cooldown(0.2, "linear").floor(0.1) * 0.5
    assert [chain.at(k, 100) for k in (79, 80, 90, 100)] == pytest.approx([1, 0.5, 0.275, 0.05])


def test_a_product_multiplies_and_each_factor_sees_the_whole_run() -> None:
    product = warmup(0.1) * cosine()
    expected = np.minimum(1, np.arange(1, 101) / 10) * cosine().values(100)
    assert product.values(100) == pytest.approx(expected, abs=1e-12)
    assert (0.5 * linear()).values(2) == pytest.approx([0.5, 0.25])


def test_untuned_warm_up_ends_after_adams_memory() -> None:
    values = untuned_warmup(0.99).values(300)
    assert values[198] == pytest.approx(0.995)
    assert values[199:] == pytest.approx(1)


@pytest.mark.parametrize("lr", [1e-3, 5e-3])
def test_the_power_law_is_the_power_scheduler_of_its_authors(lr: float) -> None:
    a, b, tokens, rise = 4.6, -0.51, 2000.0, 50
    tau = (lr / a) ** (1 / b) / tokens  # the step at which the power is the rate
    schedule = (warmup(rise, start=0) | constant()) * power_law(tau, exponent=-b)
    assert tau > rise
    for steps in (1000, 30_000):
        values = schedule.values(steps)[::100]
        expected = [power_scheduler(k, rise, lr, a, b, tokens) for k in range(0, steps, 100)]
        assert values == pytest.approx(expected, rel=1e-12)


def test_floor_squeezes_into_the_rest_above_it() -> None:
    assert linear().floor(0.2).values(4) == pytest.approx([1, 0.8, 0.6, 0.4])


def test_a_profile_sampled_rarely_is_a_step_schedule() -> None:
    sampled = polynomial().every(0.25)
    assert sampled.values(8) == pytest.approx([1, 1, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25])
    assert same(linear().every(25), sampled)
    halves = piecewise([(0, 1), (1, 0)]).every(0.5)
    assert same(halves, step(milestones=[0.5], gamma=0.5))


@pytest.mark.parametrize("total_steps", range(1, 400, 7))
def test_rounding_never_moves_a_boundary(total_steps: int) -> None:
    n = 100 * total_steps  # 7 % are whole steps, though 0.07 * 100 is not 7 in floats
    jump = [step(milestones=[0.07], gamma=0.5), constant().over(0.07) | constant() * 0.5]
    for schedule in [*jump, (linear() * 1).every(0.07)]:
        before, after = schedule.at(7 * total_steps - 1, n), schedule.at(7 * total_steps, n)
        assert before == 1
        assert after == pytest.approx(0.93 if schedule.kind == "every" else 0.5)


def test_one_value_fits_every_length_of_run() -> None:
    schedule = wsd(0.1, 0.3, "linear", start=0.1) * cosine()
    assert schedule.values(1000)[::10] == pytest.approx(schedule.values(100), abs=1e-12)


def test_a_table_of_its_values_is_the_schedule() -> None:
    schedule = wsd() * rex()
    table = tabulated(schedule.values(37))
    assert table.values(37).tolist() == schedule.values(37).tolist()
    assert table == tabulated(list(schedule.values(37)))


def test_steps_may_be_real() -> None:
    assert linear().at(12.5, 50) == 0.75


@pytest.mark.parametrize("name", schedules.names())
def test_every_setting_is_accepted_by_parse(name: str) -> None:
    values = {"table": [1.0, 0.5], "points": [[0, 1], [1, 0.5]]}
    parameters = schedules.settings_of(name)
    settings = {
        setting: values.get(setting, parameter.default) for setting, parameter in parameters.items()
    }
    made = getattr(schedules, name)(**settings)
    assert schedules.parse({"kind": name, **settings}) == made
    assert list(inspect.signature(getattr(schedules, name)).parameters) == list(parameters)


def test_parse_takes_schedules_names_and_mappings() -> None:
    schedule = wsd(cooldown=0.3) * 0.5
    assert schedules.parse(schedule) is schedule
    assert schedules.parse("rex") == rex()
    assert schedules.parse({"kind": "wsd", "warmup": 0.05, "cooldown": 0.2}) == wsd(0.05, 0.2)
    assert schedules.parse({"kind": "cosine", "final": 0, "span": 0.5}) == cosine().over(0.5)
    nested = {"kind": "chain", "parts": [{"kind": "warmup", "span": 5}, "linear"]}
    assert schedules.parse(nested) == warmup(5) | linear()


def test_numbers_of_any_kind_make_the_same_schedule() -> None:
    assert cosine(final=np.float64(0)) == cosine(final=0) == cosine(final=0.0)
    assert schedules.parse(
        {"kind": "sgdr", "cycles": np.int64(2), "growth": np.float32(2)}
    ) == sgdr(2)


def test_the_repr_is_what_a_person_would_write() -> None:
    schedule = warmup(0.05) | constant() | cooldown(0.2, "linear")
    assert repr(schedule) == "warmup(0.05) | constant() | cooldown(0.2, shape='linear')"
    assert repr((linear() | cosine()) * 0.5) == "(linear() | cosine()) * 0.5"
