"""Multipliers computed by other implementations; `golden/golden_profiles.csv` names them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    rex,
    sgdr,
    step,
    uba,
    untuned_warmup,
    warmup,
    wsd,
)

ROWS = list(
    csv.DictReader((Path(__file__).parents[1] / "golden" / "golden_profiles.csv").open("r"))
)

NOT_SCHEDULES_OF_THIS_PACKAGE = {
    "chebyshev_fractal",
    "kdecay_cosine",
    "radam_rectification",
    "refined_adam",  # in test_refine.py
    "refined_sgd",
    "tanh",
    "wsm_merge_weights",  # in test_merging.py
}

Case = dict[str, Any]


def _onecycle(case: Case) -> Schedule:
    start = 1 / case["div_factor"]
    shape = {"cos": "cosine", "linear": "linear"}[case["anneal_strategy"]]
    final = start / case["final_div_factor"]
    return onecycle(case["pct_start"], start, final, shape, case["three_phase"])  # type: ignore[arg-type]


def _onecycle_optax(case: Case) -> Schedule:
    start = 1 / case["div_factor"]
    final = start / case["final_div_factor"]
    return piecewise([(0, start), (case["pct_start"], 1), (case["pct_final"], start), (1, final)])


def _clr(case: Case) -> Schedule:
    assert case["step_size_up"] == case["step_size_down"]
    return clr(case["step_size_up"], case["base"], case["mode"], case.get("gamma", 1.0))


def _sgdr(case: Case) -> Schedule:
    assert (case["t0"], case["t_mult"]) == (10, 2)
    return sgdr(cycles=3, growth=2, final=case["final"])  # 10 + 20 + 40 steps


def _risen(case: Case) -> Schedule:
    return warmup(case["warmup_steps"], start=case.get("init", 0.0))


def _wsd(case: Case) -> Schedule:
    shape = case["decay"].replace("_", "-")
    start = case.get("init", 0.0)
    return wsd(case["warmup_steps"], case["decay_steps"], shape, start, case["final"])


SCHEDULES: dict[str, Callable[[Case], Schedule]] = {
    "constant": lambda case: constant(),
    "linear": lambda case: linear(**case),
    "polynomial": lambda case: polynomial(**case),
    "cosine": lambda case: cosine(**case),
    "cosine_incl_end": lambda case: cosine(**case),
    "multistep": lambda case: step(**case),
    "exponential": lambda case: exponential(case["final"]),
    "inverse_sqrt": lambda case: inverse_sqrt(tau=1),
    "rex": lambda case: rex(**case),
    "uba": lambda case: uba(**case),
    "onecycle": _onecycle,
    "onecycle_linear_optax": _onecycle_optax,
    "clr": _clr,
    "sgdr": _sgdr,
    "untuned_warmup_linear": lambda case: untuned_warmup(case["beta2"], "linear"),
    "untuned_warmup_exp": lambda case: untuned_warmup(case["beta2"], "exponential"),
    "warmup+linear": lambda case: _risen(case) | linear(),
    "warmup+cosine": lambda case: _risen(case) | cosine(case["final"]),
    "warmup+polynomial": lambda case: _risen(case) | polynomial(case["power"], case["final"]),
    "warmup+inverse_sqrt": lambda case: _risen(case) | inverse_sqrt(case["warmup_steps"]),
    "wsd": _wsd,
    "wsd_next": lambda case: constant() | cooldown(case["cooldown"], _next_shape(case)),  # type: ignore[arg-type]
}


def _next_shape(case: Case) -> str:
    return {"linear": "linear", "sqrt": "1-sqrt"}[case["decay"]]


def _position(profile: str, step: int, total_steps: int) -> tuple[float, float]:
    """Return the step and length that our index convention gives to a row."""
    if profile == "cosine_incl_end":
        return step, total_steps - 1  # the last step is at progress 1
    if profile == "wsd_next":
        return step + 1, total_steps  # each step uses the multiplier at its end
    return step, total_steps


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row["profile"] not in NOT_SCHEDULES_OF_THIS_PACKAGE],
    ids=lambda row: f"{row['profile']}-{row['step']}-{row['source'][:20]}",
)
def test_equals_the_other_implementation(row: dict[str, str]) -> None:
    schedule = SCHEDULES[row["profile"]](json.loads(row["params_json"]))
    step, total_steps = _position(row["profile"], int(row["step"]), int(row["total_steps"]))
    tolerance = 2e-6 if "optax" in row["source"] else 1e-12  # optax rows are float32
    assert schedule.at(step, total_steps) == pytest.approx(
        float(row["multiplier"]), abs=tolerance, rel=0
    )


def test_every_golden_profile_is_tested_or_set_aside() -> None:
    result = {row["profile"] for row in ROWS}
    assert result == SCHEDULES.keys() | NOT_SCHEDULES_OF_THIS_PACKAGE
