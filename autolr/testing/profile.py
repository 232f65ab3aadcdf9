"""What every profile must do: a test class to inherit."""

import dataclasses
import io
import json
import math
import pickle

import numpy as np
import pytest
import torch

from autolr import schedules
from autolr.schedules import Schedule
from autolr.schedules.registry import find

STEPS = 80  # of most runs below
_LONG = 1000  # steps of a run that `Schedule.at` evaluates in several blocks of 256

LambdaLR = torch.optim.lr_scheduler.LambdaLR


class ProfileContract:
    """The tests of a profile. Experimental: may change in a minor version.

    A subclass named ``Test...`` gives the schedules to test:

        class TestTriangle(ProfileContract):
            @pytest.fixture(params=[triangle(), triangle(top=0.5)])
            def schedule(self, request):
                return request.param
    """

    @pytest.fixture
    def schedule(self) -> Schedule:
        """Return the schedule to test."""
        raise NotImplementedError("override the fixture `schedule`")

    def test_is_finite_and_never_negative(self, schedule: Schedule) -> None:
        values = np.concatenate([schedule.values(n) for n in (STEPS, 97, _LONG)])
        assert np.isfinite(values).all()
        assert (values >= 0).all()

    def test_trains_at_the_first_step(self, schedule: Schedule) -> None:
        assert schedule.at(0, STEPS) > 0

    def test_holds_its_end_from_the_end_on(self, schedule: Schedule) -> None:
        end = schedule.at(STEPS, STEPS)
        later = (STEPS + 0.5, 10 * STEPS, math.inf)
        assert [schedule.at(step, STEPS) for step in later] == [end] * 3

    def test_counts_steps_before_the_first_as_the_first(self, schedule: Schedule) -> None:
        assert schedule.at(-3, STEPS) == schedule.at(0, STEPS)

    def test_values_are_what_at_gives_for_each_step(self, schedule: Schedule) -> None:
        values = schedule.values(STEPS)
        assert values.shape == (STEPS,)
        assert values.dtype == np.float64
        expected = [schedule.at(step, STEPS) for step in range(STEPS)]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)

    def test_a_whole_step_has_the_multiplier_of_the_real_number_that_it_is(
        self, schedule: Schedule
    ) -> None:
        steps = (0, 1, 255, 256, 511, 512, 999)  # around the ends of blocks
        whole = [schedule.at(step, _LONG) for step in steps]
        assert whole == [schedule.at(float(step), _LONG) for step in steps]

    def test_is_frozen_and_has_no_room_for_more(self, schedule: Schedule) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            schedule.kind = "linear"  # type: ignore[misc]
        assert not hasattr(schedule, "__dict__")

    def test_equal_ones_have_equal_hashes(self, schedule: Schedule) -> None:
        twin = Schedule.from_dict(schedule.to_dict())
        assert {schedule: 1}[twin] == 1

    def test_survives_pickling(self, schedule: Schedule) -> None:
        assert pickle.loads(pickle.dumps(schedule)) == schedule

    def test_survives_json(self, schedule: Schedule) -> None:
        text = schedule.to_json()
        assert Schedule.from_json(text) == schedule
        assert json.loads(text) == schedule.to_dict()
        assert schedules.parse(schedule.to_dict()) == schedule

    def test_its_repr_makes_it_again(self, schedule: Schedule) -> None:
        constructors = {name: find(name).make for name in schedules.names()}
        assert eval(repr(schedule), constructors) == schedule

    def test_drives_torch_and_resumes_from_a_safe_checkpoint(self, schedule: Schedule) -> None:
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

    def test_its_timed_form_survives_pickling(self, schedule: Schedule) -> None:
        timed = pickle.loads(pickle.dumps(schedule.timed(STEPS)))
        assert timed(7) == schedule.at(7, STEPS)


def _torch(schedule: Schedule) -> tuple[torch.optim.SGD, LambdaLR]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    return optimizer, LambdaLR(optimizer, schedule.timed(STEPS))


def _step(optimizer: torch.optim.SGD, scheduler: LambdaLR) -> float:
    """Make a step; return the rate that it used."""
    rate = float(optimizer.param_groups[0]["lr"])
    optimizer.step()
    scheduler.step()
    return rate
