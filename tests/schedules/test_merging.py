"""Weights of merged checkpoints, against the updates that they stand for."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from autolr.errors import ConfigError
from autolr.schedules import (
    Schedule,
    constant,
    cooldown,
    cosine,
    ema_weights,
    exponential,
    lawa_weights,
    linear,
    merge_weights,
    polynomial,
    polynomial_weights,
    rex,
    warmup,
)

ROWS = [
    row
    for row in csv.DictReader((Path(__file__).parents[1] / "golden" / "golden_profiles.csv").open())
    if row["profile"] == "wsm_merge_weights"
]
FALLING = [
    linear(),
    linear(0.3),
    cosine(),
    cosine(exponent=0.5),
    polynomial(3),
    rex(0.9),
    exponential(),
    constant(),
    cooldown(None, "mirror-cosine"),
    constant() | cooldown(0.3),
    linear() * 0.5,
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['params_json'][14:20]}-{row['step']}")
def test_equals_the_formula_of_the_paper(row: dict[str, str]) -> None:
    schedule = cooldown(None, json.loads(row["params_json"])["emulates"])
    weights = merge_weights(schedule, int(row["total_steps"]))
    assert weights[int(row["step"])] == pytest.approx(float(row["multiplier"]), abs=1e-14)


@pytest.mark.parametrize("schedule", FALLING, ids=repr)
@pytest.mark.parametrize("count", [1, 2, 11])
def test_a_merge_of_a_constant_run_is_the_run_with_smaller_updates(
    schedule: Schedule, count: int
) -> None:
    updates = np.random.default_rng(count).normal(size=count - 1)
    points = 5 + np.append(0, np.cumsum(updates))  # checkpoints of a run at a constant rate
    cooled = 5 + sum(
        schedule.at(i, count) * update for i, update in enumerate(updates.tolist(), start=1)
    )
    weights = merge_weights(schedule, count)
    assert weights @ points == pytest.approx(cooled)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_a_linear_cooldown_is_the_mean(count: int) -> None:
    assert merge_weights(linear(), count) == pytest.approx([1 / count] * count, rel=1e-12)
    assert polynomial_weights(count, gamma=0) == pytest.approx([1 / count] * count)
    assert lawa_weights(count, count).tolist() == [1 / count] * count


def test_lawa_takes_the_latest() -> None:
    assert lawa_weights(5, 2).tolist() == [0, 0, 0, 0.5, 0.5]
    assert lawa_weights(2, 10).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("decay", [0, 0.9, 0.999])
def test_ema_equals_torchs(decay: float) -> None:
    points = np.random.default_rng(1).normal(size=20)
    average = torch.optim.swa_utils.get_ema_avg_fn(decay)  # type: ignore[no-untyped-call]
    expected = torch.tensor(points[0])
    for point in points[1:]:
        expected = average(expected, torch.tensor(point), torch.tensor(1))
    assert ema_weights(20, decay) @ points == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("gamma", [0, 1, 8.0])
def test_polynomial_averaging_equals_its_recursion(gamma: float) -> None:
    points, average = np.random.default_rng(2).normal(size=20), 0.0
    for t, point in enumerate(points.tolist(), start=1):
        share = (1 + gamma) / (t + gamma)
        average = (1 - share) * average + share * point
    weights = polynomial_weights(20, gamma)
    assert weights @ points == pytest.approx(average, rel=1e-12)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) >= -1e-15).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: merge_weights(warmup(None) | linear(), 9), "schedule must be at most 1 and never"),
        (lambda: merge_weights(constant() * 2, 9), "schedule must be at most 1"),
        (lambda: merge_weights("linear", 9), "schedule must be a schedule, such as cosine"),  # type: ignore[arg-type]
        (lambda: merge_weights(linear(), 0), "count must be a whole number of at least 1, got 0"),
        (lambda: merge_weights(warmup(20), 10), "the number of steps must be at least 20"),
        (lambda: lawa_weights(3, 0), "latest must be a whole number"),
        (lambda: lawa_weights(2.5, 1), "count must be a whole number"),  # type: ignore[arg-type]
        (lambda: polynomial_weights(3, -1), "gamma must be a number of at least 0"),
        (lambda: polynomial_weights(3, math.nan), "gamma must be a number of at least 0"),
        (lambda: ema_weights(3, 1), r"decay must be a number within \[0, 1\), got 1"),
        (lambda: ema_weights(True, 0.5), "count must be a whole number"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(call, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
