"""Schedules in the words of other libraries: what those compute is the schedule."""

import csv
import io
import json
import sys
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from autolr.errors import ConfigError, UnsupportedError
from autolr.schedules import (
    Schedule,
    clr,
    constant,
    cooldown,
    cosine,
    export,
    inverse_sqrt,
    linear,
    onecycle,
    polynomial,
    rex,
    sgdr,
    tabulated,
    transfer,
    uba,
    untuned_warmup,
    warmup,
    wsd,
)
from autolr.schedules.export_transformers import name_of_transformers
from tests.schedules.test_contract import EVERY
from tests.schedules.test_golden import ROWS, SCHEDULES

STEPS, PEAK = 1000, 0.004
FROM_0 = warmup(50, start=0)
NAMED: list[tuple[Schedule, str, int, dict[str, Any]]] = [
    (constant(), "constant", 0, {}),
    (warmup(50), "constant_with_warmup", 50, {}),
    (FROM_0 | constant(), "constant_with_warmup", 50, {}),
    (linear(), "linear", 0, {}),
    (FROM_0 | linear(), "linear", 50, {}),
    (FROM_0 | linear(0.1), "polynomial", 50, {"power": 1.0, "lr_end": 0.1 * PEAK}),
    (polynomial(2), "polynomial", 0, {"power": 2.0, "lr_end": 0.0}),
    (FROM_0 | cosine(), "cosine", 50, {}),
    (warmup(0.05, start=0) | cosine(0.1), "cosine_with_min_lr", 50, {"min_lr_rate": 0.1}),
    (FROM_0 | sgdr(3, growth=1), "cosine_with_restarts", 50, {"num_cycles": 3}),
    (FROM_0 | inverse_sqrt(200), "inverse_sqrt", 50, {"timescale": 200}),
    (inverse_sqrt(0.1), "inverse_sqrt", 0, {"timescale": 100}),
    (wsd(0.05, 0.2, start=0), "warmup_stable_decay", 50,
     {"num_decay_steps": 200, "decay_type": "1-sqrt", "min_lr_ratio": 0.0}),
    (wsd(0.05, 0.2, "linear", start=0.1, final=0.1), "warmup_stable_decay", 50,
     {"num_decay_steps": 200, "decay_type": "linear", "min_lr_ratio": 0.1}),
    (constant() | cosine(0.2).over(0.5), "warmup_stable_decay", 0,
     {"num_decay_steps": 500, "decay_type": "cosine", "min_lr_ratio": 0.2}),
    (cooldown(None), "warmup_stable_decay", 0,
     {"num_decay_steps": 1000, "decay_type": "1-sqrt", "min_lr_ratio": 0.0}),
]  # fmt: skip
NAMES = [f"{name}-{schedule!r}"[:60] for schedule, name, *_ in NAMED]


@pytest.mark.parametrize(("schedule", "name", "steps", "arguments"), NAMED, ids=NAMES)
def test_what_transformers_shall_compute_is_the_schedule(
    schedule: Schedule, name: str, steps: int, arguments: dict[str, Any]
) -> None:
    made = export(schedule, STEPS, "transformers", peak=PEAK)
    expected: dict[str, Any] = {"lr_scheduler_type": name, "warmup_steps": steps}
    assert made.settings == expected | ({"lr_scheduler_kwargs": arguments} if arguments else {})
    # but for a warm-up whose first step trains, which transformers has not
    assert made.difference == pytest.approx(0.02 if schedule == warmup(50) else 0, abs=1e-12)
    assert yaml.safe_load(made.text) == made.settings
    axolotl = export(schedule, STEPS, "axolotl", peak=PEAK).settings
    assert axolotl.pop("lr_scheduler") == made.settings.pop("lr_scheduler_type")
    assert axolotl == made.settings


@pytest.mark.parametrize(("schedule", "name", "steps", "arguments"), NAMED, ids=NAMES)
def test_transformers_computes_the_schedule(
    schedule: Schedule, name: str, steps: int, arguments: dict[str, Any]
) -> None:
    transformers = pytest.importorskip("transformers")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = transformers.get_scheduler(name, optimizer, steps, STEPS, arguments)
    rates = []
    for _ in range(STEPS):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    off = 0.0201 if schedule == warmup(50) else 1e-12
    assert np.array(rates) / PEAK == pytest.approx(schedule.values(STEPS), abs=off)


@pytest.mark.parametrize(("schedule", "name", "steps", "arguments"), NAMED, ids=NAMES)
def test_llama_factory_is_told_the_steps_at_the_peak(
    schedule: Schedule, name: str, steps: int, arguments: dict[str, Any]
) -> None:
    # where they are missing, its create_custom_scheduler has a third of the run at the peak
    made = export(schedule, STEPS, "llamafactory", peak=PEAK).settings
    given = dict(made.get("lr_scheduler_kwargs", {}))
    stable = given.pop("num_stable_steps", None)
    assert (made["lr_scheduler_type"], made["warmup_steps"], given) == (name, steps, arguments)
    fall = arguments.get("num_decay_steps")
    assert stable == (None if fall is None else STEPS - steps - fall)


@pytest.mark.parametrize(
    "number", [np.float32(0.25), np.float64(0.25), Fraction(1, 4)], ids=lambda n: type(n).__name__
)
def test_numbers_of_other_libraries_are_written_as_plain_ones(
    number: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = export(cosine(), 10, "optax", peak=number).text
    assert "return 0.25 * " in code
    assert run(code, 10, monkeypatch) == pytest.approx(0.25 * cosine().values(10))
    made = export(linear(0.5), 10, "transformers", peak=number)
    assert yaml.safe_load(made.text)["lr_scheduler_kwargs"]["lr_end"] == 0.125
    assert repr(transfer(number, linear(), 100)) == "0.25"


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row["source"].startswith("transformers")],
    ids=lambda row: f"{row['profile']}-{row['params_json'][:40]}-{row['step']}",
)
def test_the_formulas_of_transformers_are_its_values(row: dict[str, str]) -> None:
    schedule = SCHEDULES[row["profile"]](json.loads(row["params_json"]))
    steps = int(row["total_steps"])
    named = name_of_transformers(schedule, steps, 1.0)
    value = named.multipliers(steps, 1.0)[int(row["step"])]
    assert value == pytest.approx(float(row["multiplier"]), abs=1e-12)


def test_a_schedule_as_it_is_found_differs_by_its_first_step_and_whole_steps() -> None:
    made = export(wsd(), 1000, "transformers")
    assert made.difference == pytest.approx(1 / 50)
    odd = export(wsd(0.05, 0.2, "linear", start=0), 97, "transformers")
    assert odd.settings["warmup_steps"] == 5  # of 4.85
    assert odd.settings["lr_scheduler_kwargs"]["num_decay_steps"] == 19  # of 19.4
    assert 0 < odd.difference < 1 / 19


def test_torchtune_has_a_cosine() -> None:
    made = export(warmup(50, start=0) | cosine(), STEPS, "torchtune")
    component = "torchtune.training.get_cosine_schedule_with_warmup"
    assert made.settings == {"lr_scheduler": {"_component_": component, "num_warmup_steps": 50}}
    assert made.difference == pytest.approx(0, abs=1e-12)
    with pytest.raises(UnsupportedError, match=r"torchtune has .* not linear\(\)"):
        export(linear(), STEPS, "torchtune")


def run(code: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the code with NumPy in place of jax.numpy; both have the functions that it calls."""
    jax = types.ModuleType("jax")
    jax.numpy = np  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.numpy", np)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["schedule"](np.arange(steps))


CODE = [
    *EVERY,
    cooldown(0.3, "exp", final=0.2),
    cooldown(0.4, "cosine", final=0.2),
    warmup(0.07, start=0.2) | inverse_sqrt(0.2),
]
UNKNOWN = {"clr", "onecycle", "sgdr", "step", "untuned_warmup"}


@pytest.mark.parametrize("schedule", CODE, ids=lambda schedule: repr(schedule)[:80])
@pytest.mark.parametrize("steps", [80, 333])
def test_the_code_for_optax_is_the_schedule(
    schedule: Schedule, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        made = export(schedule, steps, "optax", peak=PEAK)
    except UnsupportedError:
        assert any(f"{kind}(" in repr(schedule) for kind in UNKNOWN)
        return
    expected = PEAK * schedule.values(steps)
    rates = run(made.text, steps, monkeypatch)
    assert rates == pytest.approx(expected, abs=1e-12 * PEAK, rel=1e-9)
    assert made.settings == {}
    assert all(len(line) < 200 for line in made.text.splitlines())


def test_the_code_for_optax_is_short() -> None:
    text = export(warmup(50) | cosine(), 1000, "optax", peak=0.001).text
    assert text.startswith(
        "import jax.numpy as jnp\n\n\ndef schedule(count):\n    # warmup(50 steps)"
    )
    assert text.count("\n") < 20


@pytest.mark.parametrize("schedule", [wsd(), onecycle(), untuned_warmup() * uba()], ids=repr)
def test_a_table_holds_every_digit(schedule: Schedule) -> None:
    rows = list(csv.DictReader(io.StringIO(export(schedule, 77, "csv", peak=0.3).text)))
    assert [int(row["step"]) for row in rows] == list(range(77))
    read = tabulated([float(row["multiplier"]) for row in rows])
    assert read.values(77).tolist() == schedule.values(77).tolist()
    assert [float(row["rate"]) for row in rows] == (0.3 * schedule.values(77)).tolist()
    assert export(schedule, 77, "csv").text.startswith("step,multiplier\n0,")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *[
            (lambda schedule=schedule: export(schedule, STEPS, "transformers", peak=1.0),
             "transformers has no schedule of the shape")
            for schedule in (
                rex(), uba(), clr(), sgdr(3), cosine(exponent=2), cosine() * linear(),
                linear() * 0.5, linear() | cosine(), warmup(50) | linear().over(0.5),
                (warmup(50) | linear()).over(0.5), wsd(shape="exp"), wsd(shape="mirror-cosine"),
                constant() | rex().over(0.3), sgdr(3, growth=1, final=0.1), linear().over(0.5),
            )
        ],
        (lambda: export(linear(0.1), STEPS, "transformers"), "give the peak"),
        (lambda: export(warmup(9, start=0.5) | linear(), STEPS, "axolotl"), "at 0, got start=0.5"),
        (lambda: export(linear(), STEPS, "optax"), "give the peak"),
        (lambda: export(clr(), STEPS, "optax", peak=1), "no code for optax is known for clr"),
        (lambda: export(linear(), STEPS, "keras"), "to must be one of 'transformers'"),  # type: ignore[arg-type]
        (lambda: export(linear(), 0, "csv"), "total_steps must be"),
        (lambda: export(warmup(50), 10, "csv"), "at least 50"),
        (lambda: export(linear(), 10, "csv", peak=0), "peak must be a number above 0"),
        (lambda: export("linear", 10, "csv"), "schedule must be a schedule, such as cosine"),  # type: ignore[arg-type]
        (lambda: export(onecycle(), 9, "csv", momentum=0.9), "momentum must be at least 2"),  # type: ignore[arg-type]
        (lambda: export(onecycle(), 9, "csv", momentum=(0.1, 0.2, 0.3)), "momentum must be two"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_refused_in_one_line(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
