"""A profile from outside the package works wherever ours do."""

import pytest

from autolr import schedules
from autolr.candidate import Candidate, candidate_of
from autolr.errors import ConfigError
from autolr.schedules import Schedule
from autolr.search_spaces import load_space
from autolr.testing import ProfileContract

pytestmark = pytest.mark.usefixtures("example")


@pytest.fixture(scope="module")
def example():
    from examples.extending import triangle_profile  # here: to import it registers the profile

    return triangle_profile


class TestTriangle(ProfileContract):
    @pytest.fixture(params=[{}, {"top": 0.5, "final": 0.0}], ids=repr)
    def schedule(self, request: pytest.FixtureRequest, example) -> Schedule:
        made: Schedule = example.slanted_triangle(**request.param)
        return made


def test_its_formula_is_that_of_the_paper(example):
    values = example.slanted_triangle(top=0.25, final=0.0).values(8)
    assert values.tolist() == pytest.approx([0.5, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_it_trains_the_digits(example):
    assert example.main(epochs=2) > 0.9


def test_a_space_names_it_and_its_settings():
    space = load_space(
        {"lr": 0.1, "schedule": ["slanted_triangle"], "top": {"low": 0.1, "high": 0.5}}
    )
    candidate = candidate_of({"lr": 0.1, "schedule": "slanted_triangle", "top": 0.3})
    assert space.names == ("lr", "schedule", "top")
    assert Candidate.from_dict(candidate.to_dict()) == candidate


def test_it_combines_with_ours(example):
    schedule = example.slanted_triangle().over(0.8) | schedules.linear()
    assert Schedule.from_json(schedule.to_json()) == schedule


def test_a_setting_that_cannot_work_is_refused_in_one_line(example):
    with pytest.raises(
        ConfigError, match=r"top of slanted_triangle must be a number within \(0, 1\), got 1"
    ):
        example.slanted_triangle(top=1)
    with pytest.raises(ConfigError, match="slanted_triangle has no setting 'tip'"):
        schedules.parse({"kind": "slanted_triangle", "tip": 0.1})
