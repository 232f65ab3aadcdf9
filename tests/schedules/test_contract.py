"""Our profiles and their combinations keep the contract; a new profile is one value here."""

import pytest

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
from autolr.schedules.registry import find
from autolr.testing import ProfileContract

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
    "power_law": power_law(20, exponent=0.7),
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


class TestSchedules(ProfileContract):
    @pytest.fixture(params=EVERY, ids=lambda schedule: repr(schedule)[:80])
    def schedule(self, request: pytest.FixtureRequest) -> Schedule:
        value: Schedule = request.param
        return value


def test_the_list_above_has_every_profile() -> None:
    assert sorted(PROFILES) == schedules.names()
    assert all(getattr(schedules, name) is find(name).make for name in PROFILES)
