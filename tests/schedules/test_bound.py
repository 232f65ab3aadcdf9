"""The convex bound, and peaks and runs moved by it."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolr.errors import ConfigError
from autolr.schedules import (
    Schedule,
    bound,
    constant,
    cooldown,
    cosine,
    exponential,
    extend,
    inverse_sqrt,
    linear,
    onecycle,
    refine,
    rex,
    tabulated,
    transfer,
    warmup,
    wsd,
)
from tests.schedules.reference import bound_terms

GOLDEN = Path(__file__).parents[1] / "golden"
# the authors take sums to the end as differences of sums: with a last multiplier near 0, as that of
# the cosine, their values have 7 digits, and less in long runs; in long doubles ours hold
TERMS = list(csv.DictReader((GOLDEN / "golden_convex_bound.csv").open()))
MOVES = list(csv.DictReader((GOLDEN / "golden_bound_transfer.csv").open()))
NAMED = {
    "constant": constant(),
    "linear(wsd c=1)": linear(),
    "wsd c=0.2 linear": constant() | cooldown(0.2, "linear"),
    "wsd c=0.2 1-sqrt": constant() | cooldown(0.2),
    "cosine": cosine(),
    "inverse_sqrt": inverse_sqrt(tau=1),
    "1/sqrt(t)": inverse_sqrt(tau=1),
}
RANDOM = np.random.default_rng(0)
EVERY = [
    *NAMED.values(),
    wsd(),
    rex(),
    onecycle(),
    exponential(),
    warmup(10, start=0) | linear(),
    constant() | cooldown(0.3) | (constant() * 0).over(0.1),
    tabulated(RANDOM.uniform(size=97)),
]


@pytest.mark.parametrize("row", TERMS, ids=lambda row: f"{next(iter(row.values()))}-{row['T']}")
def test_equals_the_authors_code(row: dict[str, str]) -> None:
    name, steps, *numbers = row.values()
    first, second, third, best, lowest = map(float, numbers)
    made = bound(NAMED[name], int(steps))
    assert made.distance_term == pytest.approx(first, rel=1e-7)
    assert made.gradient_term == pytest.approx(second + third, rel=1e-7)
    assert made.best_peak == pytest.approx(best, rel=1e-7)
    assert made.lowest == pytest.approx(lowest, rel=1e-7)


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: repr(schedule)[:60])
@pytest.mark.parametrize("steps", [1, 2, 97, 300])
def test_equals_the_sum_of_the_paper(schedule: Schedule, steps: int) -> None:
    if schedule.parts and steps < 97:
        return  # spans in steps
    values = np.trim_zeros(schedule.values(steps), "b")
    norms = RANDOM.uniform(0.1, 3, size=steps)
    made = bound(schedule, steps, gradient_norms=norms, distance=2.5)
    expected = bound_terms(values.tolist(), norms.tolist(), 2.5)
    assert [made.distance_term, made.gradient_term] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_the_constant_schedule_has_a_closed_form(steps: int) -> None:
    made = bound(constant(), steps)
    harmonic = math.fsum(1 / i for i in range(1, steps))
    assert made.distance_term == pytest.approx(1 / (2 * steps), rel=1e-13)
    assert made.gradient_term == pytest.approx((1 + harmonic) / 2, rel=1e-13)


def test_the_best_peak_is_the_lowest_point() -> None:
    made = bound(wsd(), 500)
    peaks = np.geomspace(made.best_peak / 10, made.best_peak * 10, 401)
    values = [made.at(peak) for peak in peaks]
    assert int(np.argmin(values)) == 200
    assert made.at(made.best_peak) == pytest.approx(made.lowest, rel=1e-14)
    assert made.at(2 * made.best_peak) == pytest.approx(1.25 * made.lowest, rel=1e-14)


def test_units_of_distance_and_of_the_gradient() -> None:
    one, steps = bound(cosine(), 50), 50
    other = bound(cosine(), steps, gradient_norms=[3.0] * steps, distance=7)
    assert other.best_peak == pytest.approx(one.best_peak * 7 / 3)
    assert other.lowest == pytest.approx(one.lowest * 7 * 3)


def test_a_subgradient_method_keeps_the_bound() -> None:
    steps = 200  # f(x) = |x|, G = 1, from x = 1
    for schedule in (constant(), linear(), cosine(), wsd(), rex()):
        for factor in (0.3, 1.0, 3.0):
            made = bound(schedule, steps)
            peak, x = factor * made.best_peak, 1.0
            values = schedule.values(steps)
            for multiplier in values[:-1]:
                x -= peak * multiplier * math.copysign(1.0, x)
            assert abs(x) <= made.at(peak)


@pytest.mark.parametrize(
    "row", [row for row in MOVES if row["kind"] == "transfer_to_linear"], ids=lambda r: r["case"]
)
def test_moved_peaks_equal_the_authors(row: dict[str, str]) -> None:
    name, steps = row["case"], int(row["T1"])
    if name.startswith("wsd"):
        _, share, shape = name.split()
        source = constant() | cooldown(
            float(share.removeprefix("c=")), "linear" if shape == "linear" else "1-sqrt"
        )
    else:
        source = NAMED[name]
    assert transfer(1.0, source, steps, linear()) == pytest.approx(float(row["value"]), rel=1e-6)


@pytest.mark.parametrize("row", [r for r in MOVES if r["kind"] != "transfer_to_linear"],
                         ids=lambda r: f"{r['kind']}-{r['case']}")  # fmt: skip
def test_extended_runs_equal_the_authors(row: dict[str, str]) -> None:
    ratio, steps, value = float(row["case"].split("=")[1]), int(row["T1"]), float(row["value"])
    by = "rate" if row["kind"] == "extend_rho" else "cooldown"
    wsd_ = constant() | cooldown(0.2, "linear")
    if value == 1.0:  # their grid ends there; no cooldown is quite enough
        with pytest.raises(ConfigError, match="no other cooldown is enough"):
            extend(wsd_, steps, round(ratio * steps))
        return
    made = extend(wsd_, steps, round(ratio * steps), by=by).schedule  # type: ignore[arg-type]
    found = made.parts[-1].span if by == "cooldown" else made.parts[-2].settings[0][1]
    assert found == pytest.approx(value, abs=0.0051)  # theirs is on a grid of 0.01


@pytest.mark.parametrize("by", ["cooldown", "rate"])
@pytest.mark.parametrize(
    "source", [wsd(), wsd(0, 0.2, "linear"), wsd(37, 0.3, "cosine"), wsd(0.001, 0.5, final=0.1)]
)
@pytest.mark.parametrize("to_steps", [1001, 1500, 1999])
def test_an_extended_run_keeps_its_peak_and_its_beginning(
    source: Schedule, by: str, to_steps: int
) -> None:
    longer = extend(source, 1000, to_steps, by=by)  # type: ignore[arg-type]
    assert transfer(1.0, source, 1000, longer.schedule, to_steps) == pytest.approx(1, rel=1e-9)
    same = slice(0, longer.resume_step)
    before, after = source.values(1000)[same], longer.schedule.values(to_steps)[same]
    assert len(before) == longer.resume_step
    assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_norms_may_be_an_array_or_a_tensor(kind: Any) -> None:
    norms = [2.0, 1.0, 0.5]
    assert bound(linear(), 3, gradient_norms=kind(norms)) == bound(
        linear(), 3, gradient_norms=norms
    )
    assert refine(kind(norms)) == refine(norms)


def test_transfer_there_and_back_is_nothing() -> None:
    there = transfer(0.3, wsd(), 1000, cosine(), 4000)
    assert transfer(there, cosine(), 4000, wsd(), 1000) == pytest.approx(0.3, rel=1e-12)
    assert transfer(0.3, wsd(), 1000) == 0.3


def test_another_exponent_of_the_length_counts_for_the_length_alone() -> None:
    theory = transfer(0.3, wsd(), 1000, cosine(), 4000)
    assert transfer(0.3, wsd(), 1000, cosine(), 4000, exponent=0.7) == pytest.approx(
        theory * 4**-0.2
    )
    assert transfer(0.3, wsd(), 1000, cosine(), exponent=0.7) == transfer(
        0.3, wsd(), 1000, cosine()
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bound(linear(), 0), "total_steps must be a whole number of at least 1, got 0"),
        (lambda: bound(linear() * 0, 10), "multipliers of .* are 0 at all 10 steps"),
        (lambda: bound(linear(), 3, gradient_norms=[1, 1]), "3 numbers, .* got 2"),
        (lambda: bound(linear(), 2, gradient_norms=[1, -1]), "gradient_norms must be"),
        (lambda: bound(linear(), 2, gradient_norms=[1, math.nan]), "gradient_norms must be"),
        (lambda: bound(linear(), 2, gradient_norms=[0, 0]), "gradient_norms must be above 0"),
        (lambda: bound(linear(), 2, distance=0), "distance must be a number above 0, got 0"),
        (lambda: bound(linear(), 2, distance=1e300), "distance and multipliers must be less"),
        (lambda: bound(linear(), 2, gradient_norms=[1e200, 1]), "gradient_norms, .* less extreme"),
        (lambda: bound("linear", 2), "schedule must be a schedule, such as cosine.* got 'linear'"),  # type: ignore[arg-type]
        (lambda: transfer(1, "linear", 10), "from_ must be a schedule"),  # type: ignore[arg-type]
        (lambda: transfer(1, linear(), 10, 20), "to must be a schedule, .* got 20"),  # type: ignore[arg-type]
        (lambda: extend("wsd", 100, 200), "schedule must be a schedule"),  # type: ignore[arg-type]
        (lambda: bound(linear(), 2).at(-1), "peak must be a number above 0, got -1"),
        (lambda: transfer(0, linear(), 10), "peak must be a number above 0, got 0"),
        (lambda: transfer(1, linear(), 10, to_steps=0), "to_steps must be"),
        (lambda: transfer(1, linear(), 10, exponent=3), "exponent must be"),
        (lambda: extend(wsd(), 100, 100), "to_steps must be above 100"),
        (lambda: extend(wsd(), 100, 150.5), "to_steps must be a whole number"),  # type: ignore[arg-type]
        (lambda: extend(cosine(), 100, 200), r"schedule must be one that ends in constant\(\)"),
        (lambda: extend(wsd().over(0.5), 100, 200), "schedule must be one that ends in"),
        (lambda: extend(wsd(), 100, 200, by="both"), "by must be one of"),  # type: ignore[arg-type]
        (lambda: extend(wsd(0), 10, 50_000, by="rate"), "no other rate is enough"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(call, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
