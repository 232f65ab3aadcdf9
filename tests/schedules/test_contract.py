"""What every schedule must do. A new profile is covered by adding one value here."""

import dataclasses
import io
import json
import math
import pickle

import numpy as np
import pytest
import torch

from autolr import schedules
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
    tabulated,
    uba,
    untuned_warmup,
    warmup,
    wsd,
)

PROFILES: dict[str, Schedule] = {
    "clr": clr(half=7, mode="exp_range"),
    "constant": constant(),
    "cooldown": cooldown(0.3, "mirror-cosine"),
    "cosine": cosine(final=0.1, exponent=2),
    "exponential": exponential(),
    "inverse_sqrt": inverse_sqrt(tau=10),
    "linear": linear(),
    "onecycle": onecycle(three_phase=True),
    "piecewise": piecewise([(0, 0.1), (0.3, 1), (1, 0)]),
    "polynomial": polynomial(power=0.5),
    "rex": rex(),
    "sgdr": sgdr(cycles=4, growth=1.5),
    "step": step(),
    "tabulated": tabulated([0.5, 1.5, 1, 0.25]),
    "uba": uba(),
    "untuned_warmup": untuned_warmup(0.9, "exponential"),
    "warmup": warmup(),
    "wsd": wsd(),
}

COMBINED = [
    *(clr(mode=mode) for mode in ("triangular", "triangular2")),
    *(wsd(shape=s) for s in ("linear", "cosine", "exp", "1-square", "mirror-cosine")),
    onecycle(),
    untuned_warmup(0.99),
    cosine() * 0.5,
    2 * linear() ** 2 * cosine(),
    warmup(0.1) * cosine() * rex(),
    (cosine() * 0.5) * (linear() * 0.5),
    (warmup(5) | linear()) * cosine().over(0.5),
    warmup(10.5, start=0.1) | constant() * 0.5 | cooldown(0.2, "linear") ** 2,
    (warmup(0.1) | cosine()).over(0.5) | linear().over(20) | constant(),
    warmup(0.1) | constant() | (linear() * cosine()).over(0.3),
    cosine().floor(0.1).every(3),
    cooldown(0.3).floor(0.1).every(0.25) ** 2 * 0.5,
    (warmup(0.1) | linear()).floor(0.05) | cosine().over(0.25).every(4),
    (linear() | cosine()).over(60).floor(0.2),
    warmup(0) | linear() | cooldown(0),
    linear().over(0),
    (cosine() * 0.5).floor(0.1),
    (linear() ** 2) ** 3,
]

EVERY = [*PROFILES.values(), *COMBINED]
STEPS = 80


@pytest.fixture(params=EVERY, ids=lambda schedule: repr(schedule)[:80])
def schedule(request: pytest.FixtureRequest) -> Schedule:
    value: Schedule = request.param
    return value


def test_the_list_above_has_every_profile() -> None:
    assert sorted(PROFILES) == schedules.names()
    assert all(callable(getattr(schedules, name)) for name in PROFILES)


def test_is_finite_and_never_negative(schedule: Schedule) -> None:
    values = np.concatenate([schedule.values(n) for n in (STEPS, 97, 1000)])
    assert np.isfinite(values).all()
    assert (values >= 0).all()


def test_trains_at_the_first_step(schedule: Schedule) -> None:
    assert schedule.at(0, STEPS) > 0


def test_holds_its_end_from_the_end_on(schedule: Schedule) -> None:
    end = schedule.at(STEPS, STEPS)
    assert [schedule.at(step, STEPS) for step in (STEPS + 0.5, 10 * STEPS, math.inf)] == [end] * 3


def test_counts_steps_before_the_first_as_the_first(schedule: Schedule) -> None:
    assert schedule.at(-3, STEPS) == schedule.at(0, STEPS)


def test_values_are_what_at_gives_for_each_step(schedule: Schedule) -> None:
    values = schedule.values(STEPS)
    assert values.shape == (STEPS,)
    assert values.dtype == np.float64
    expected = [schedule.at(step, STEPS) for step in range(STEPS)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_a_whole_step_has_the_multiplier_of_the_real_number_that_it_is(schedule: Schedule) -> None:
    steps = (0, 1, 255, 256, 511, 512, 999)
    assert [schedule.at(k, 1000) for k in steps] == [schedule.at(float(k), 1000) for k in steps]


def test_is_frozen_and_has_no_room_for_more(schedule: Schedule) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.kind = "linear"  # type: ignore[misc]
    assert not hasattr(schedule, "__dict__")


def test_equal_ones_have_equal_hashes(schedule: Schedule) -> None:
    twin = Schedule.from_dict(schedule.to_dict())
    assert {schedule: 1}[twin] == 1


def test_survives_pickling(schedule: Schedule) -> None:
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_survives_json(schedule: Schedule) -> None:
    text = schedule.to_json()
    assert Schedule.from_json(text) == schedule
    assert json.loads(text) == schedule.to_dict()
    assert schedules.parse(schedule.to_dict()) == schedule


def test_its_repr_makes_it_again(schedule: Schedule) -> None:
    assert eval(repr(schedule), vars(schedules)) == schedule


def test_drives_torch_and_resumes_from_a_safe_checkpoint(schedule: Schedule) -> None:
    optimizer, scheduler = _torch(schedule)
    rates = [_step(optimizer, scheduler) for _ in range(STEPS + 5)]
    expected = [0.5 * schedule.at(step, STEPS) for step in range(STEPS + 5)]
    assert rates == pytest.approx(expected, abs=1e-12)

    optimizer, scheduler = _torch(schedule)
    for _ in range(30):
        _step(optimizer, scheduler)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), scheduler.state_dict()], file)
    file.seek(0)
    optimizer, scheduler = _torch(schedule)
    optimizer_state, scheduler_state = torch.load(file, weights_only=True)
    optimizer.load_state_dict(optimizer_state)
    scheduler.load_state_dict(scheduler_state)
    assert [_step(optimizer, scheduler) for _ in range(30, STEPS + 5)] == rates[30:]


def test_its_timed_form_survives_pickling(schedule: Schedule) -> None:
    timed = pickle.loads(pickle.dumps(schedule.timed(STEPS)))
    assert timed(7) == schedule.at(7, STEPS)


def _torch(
    schedule: Schedule,
) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.timed(STEPS))


def _step(optimizer: torch.optim.SGD, scheduler: torch.optim.lr_scheduler.LambdaLR) -> float:
    """Make a step; return the rate that it used."""
    rate = float(optimizer.param_groups[0]["lr"])
    optimizer.step()
    scheduler.step()
    return rate
