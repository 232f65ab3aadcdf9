"""Peaks for another batch, width and length, against what the rules follow from."""

import math

import numpy as np
import pytest

from autolr.errors import ConfigError
from autolr.rules.mup import width_factors
from autolr.schedules import Schedule, bound, cosine, linear, transfer, transfer_size, wsd

STEPS = 3600


@pytest.mark.parametrize("schedule", [linear(), cosine(), wsd()], ids=str)
@pytest.mark.parametrize("batch", [0.25, 4, 9])
def test_batch_rules_for_as_many_examples(schedule: Schedule, batch: float) -> None:
    adam = transfer_size(0.1, schedule, STEPS, "adam", batch=batch)
    sgd = transfer_size(0.1, schedule, STEPS, "sgd", batch=batch)
    assert adam.total_steps == sgd.total_steps == STEPS / batch
    # the bound has a term in log T beside the square root
    assert adam.peak == pytest.approx(0.1 * math.sqrt(batch), rel=0.06)
    assert sgd.peak == pytest.approx(0.1 * batch, rel=0.06)


@pytest.mark.parametrize("batch", [0.25, 4, 9])
def test_sgd_is_the_bound_of_gradients_that_are_noise(batch: float) -> None:
    steps = round(STEPS / batch)
    norms = [1 / math.sqrt(batch)] * steps
    ratio = (
        bound(linear(), steps, gradient_norms=norms).best_peak / bound(linear(), STEPS).best_peak
    )
    assert transfer_size(1.0, linear(), STEPS, "sgd", batch=batch).peak == pytest.approx(ratio)


def test_a_longer_run_is_a_transfer_whatever_the_optimizer() -> None:
    for kind in ("adam", "sgd"):
        made = transfer_size(0.1, wsd(), STEPS, kind, to=linear(), to_steps=4 * STEPS)
        assert made.peak == transfer(0.1, wsd(), STEPS, linear(), 4 * STEPS)
        assert (made.vectors, made.matrices) == (made.peak, made.peak)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_width_is_mups(kind: str) -> None:
    narrow = {"hidden": (8, 8), "bias": (8,), "readout": (3, 8), "scale": ()}
    wide = {"hidden": (32, 32), "bias": (32,), "readout": (3, 32), "scale": ()}
    factors = width_factors(wide, narrow, kind)  # type: ignore[arg-type]
    made = transfer_size(0.1, linear(), STEPS, kind, width=4)  # type: ignore[arg-type]
    assert made.matrices == pytest.approx(0.1 * factors["hidden"])
    assert made.vectors == pytest.approx(0.1 * factors["bias"])
    assert made.vectors == pytest.approx(0.1 * factors["readout"])
    assert made.peak == pytest.approx(0.1 * factors["scale"])


@pytest.mark.parametrize(
    "change", [{"batch": 4}, {"to_steps": 9000}, {"to": cosine()}, {"batch": 0.5, "to": wsd()}]
)
def test_adamw_forgets_its_first_weights_as_before(change: dict[str, object]) -> None:
    def left(peak: float, decay: float, schedule: Schedule, steps: int) -> float:
        return float(np.prod(1 - peak * decay * schedule.values(steps)))

    made = transfer_size(0.01, linear(), STEPS, "adam", weight_decay=0.1, **change)  # type: ignore[arg-type]
    schedule = change.get("to", linear())
    assert isinstance(schedule, Schedule)
    assert made.weight_decay is not None
    after = left(made.peak, made.weight_decay, schedule, made.total_steps)
    assert after == pytest.approx(left(0.01, 0.1, linear(), STEPS), rel=0.01)


def test_the_decay_of_sgd_is_kept() -> None:
    made = transfer_size(0.01, linear(), STEPS, "sgd", batch=4, weight_decay=5e-4)
    assert made.weight_decay == 5e-4


def test_what_differs_is_printed() -> None:
    made = transfer_size(0.01, linear(), 100, "sgd", width=4, weight_decay=0.1)
    assert str(made).splitlines() == [
        "peak 0.01 in 100 steps, weight decay 0.1",
        "vectors: peak 0.04, weight decay 0.025",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "lion"}, "kind must be one of 'adam', 'sgd'"),
        ({"batch": 0}, r"batch must be a number within \[1e-06, 1e\+06\], got 0"),
        ({"batch": math.inf}, "batch must be a number within"),
        ({"batch": 1e-6}, "steps must be at most 10000000"),
        ({"width": -1}, "width must be a number within"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"steps": 10**9}, "steps must be at most 10000000"),
        ({"to_steps": 0}, "to_steps must be a whole number"),
        ({"peak": 0}, "peak must be a number above 0"),
        ({"schedule": "wsd"}, "schedule must be a schedule, such as cosine"),
        ({"to": "cosine"}, "to must be a schedule"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(change: dict[str, object], message: str) -> None:
    settings = {"peak": 0.1, "schedule": linear(), "steps": 100, "kind": "adam", **change}
    with pytest.raises(ConfigError, match=message) as caught:
        transfer_size(**settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
