"""Refined schedules, against the authors' code and scipy's filter."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import median_filter

from autolr.errors import ConfigError
from autolr.schedules import Schedule, bound, constant, cosine, linear, refine, tabulated, wsd

ROWS = [
    row
    for row in csv.DictReader((Path(__file__).parents[1] / "golden" / "golden_profiles.csv").open())
    if row["profile"].startswith("refined_")
]
_AT = [0, 0.003, 0.02, 0.03, 0.1, 1]
NORMS = {
    "flat": np.ones(100),
    "decay_1_over_sqrt": 1 / np.sqrt(np.arange(1, 101)),
    "warm": np.interp(np.linspace(0, 1, 100), _AT, [15, 6, 4, 2, 1, 1]),
    "warm_rise": np.interp(np.linspace(0, 1, 100), _AT, [15, 6, 4, 2, 1, 2]),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['params_json']}-{row['step']}")
def test_equals_the_authors_code(row: dict[str, str]) -> None:
    (name,) = json.loads(row["params_json"]).values()
    norm = "l2" if row["profile"] == "refined_sgd" else "l1"
    values = refine(NORMS[name], norm=norm, smoothing=0).values(100)  # type: ignore[arg-type]
    assert values[int(row["step"])] == pytest.approx(float(row["multiplier"]), abs=1e-12, rel=0)


@pytest.mark.parametrize("steps", [2, 3, 20, 101, 400])
@pytest.mark.parametrize("smoothing", [0.1, 0.35, 1.0])
def test_smooths_as_the_authors_do(steps: int, smoothing: float) -> None:
    norms = np.random.default_rng(steps).uniform(0.1, 3, size=steps)
    width = 2 * (int(smoothing * steps) // 2) + 1
    padded = np.pad(norms, (0, 2 * width), mode="reflect")
    smooth = median_filter(padded, size=width, mode="nearest")[: -2 * width]
    assert refine(norms, smoothing=smoothing) == refine(smooth, smoothing=0)


def test_norms_of_one_size_ask_for_a_linear_decay() -> None:
    expected = np.arange(99, -1, -1) / 99
    for norm in ("l1", "l2"):
        assert refine([0.3] * 100, norm=norm).values(100) == pytest.approx(expected)


@pytest.mark.parametrize("name", NORMS)
def test_its_bound_is_the_lowest_of_those_tried(name: str) -> None:
    norms = NORMS[name]

    def lowest(schedule: Schedule) -> float:
        return bound(schedule, 100, gradient_norms=norms).lowest

    others = [linear(), cosine(), constant(), wsd(), tabulated(1 / norms), tabulated(1 / norms**2)]
    # flat: that of `linear`, which makes use of the last step, is lower by 0.5 %
    assert lowest(refine(norms, smoothing=0)) <= min(map(lowest, others)) * 1.01


@pytest.mark.parametrize("seed", range(5))
def test_keeps_the_bound_of_the_paper_on_a_convex_loss(seed: int) -> None:
    # loss(x) = max |a_i x|, |a_i| = 1: gradients of norm 1, so the last loss is <= D / sqrt(T)
    random, steps = np.random.default_rng(seed), 100
    slopes = random.normal(size=(20, 5))
    slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
    x = random.normal(size=5)
    distance = float(np.linalg.norm(x))
    peak = distance / math.sqrt(steps)
    for multiplier in refine(np.ones(steps)).values(steps)[:-1]:  # the last one is 0
        steepest = slopes[np.argmax(abs(slopes @ x))]
        x = x - peak * multiplier * steepest * np.sign(steepest @ x)
    assert abs(slopes @ x).max() <= distance / math.sqrt(steps)


def test_units_of_the_norms_do_not_matter() -> None:
    norms = NORMS["warm_rise"]
    assert refine(norms * 1e-9).values(50) == pytest.approx(refine(norms).values(50))


def test_a_spike_and_a_step_of_norm_0_change_little() -> None:
    norms = np.ones(200)
    norms[50], norms[120] = 1e6, 0.0
    assert refine(norms).values(200) == pytest.approx(refine(np.ones(200)).values(200))
    bare = refine(norms, smoothing=0).values(200)
    assert np.isfinite(bare).all()


def test_a_long_run_is_thinned() -> None:
    steps = 25_000
    norms = 2 - np.arange(steps) / steps
    made = refine(norms)
    assert len(made.to_dict()["table"]) == 10_000
    short = refine(norms[::25]).values(1000)
    assert made.values(1000) == pytest.approx(short, abs=0.02)  # that one ends a step earlier


def test_it_goes_where_a_schedule_goes() -> None:
    made = refine(NORMS["warm"])
    assert Schedule.from_json(made.to_json()) == made
    assert max(made.values(100)) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: refine([]), "gradient_norms must be at least 2 numbers"),
        (lambda: refine([1.0]), "gradient_norms must be at least 2 numbers"),
        (lambda: refine([1.0, -1]), "gradient_norms must be"),
        (lambda: refine([1.0, math.nan]), "gradient_norms must be"),
        (lambda: refine([1.0, math.inf, 2]), "gradient_norms must be"),
        (lambda: refine([0.0, 0, 0, 1], smoothing=0), "above 0 at half of the steps"),
        (lambda: refine("12"), "gradient_norms must be"),  # type: ignore[arg-type]
        (lambda: refine([1, 1], norm="l3"), "norm must be one of 'l2', 'l1'"),  # type: ignore[arg-type]
        (lambda: refine([1, 1], smoothing=2), r"smoothing must be a number within \[0, 1\]"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(call, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
