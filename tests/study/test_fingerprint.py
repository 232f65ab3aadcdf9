import math
from typing import Any

import pytest

from autolr.errors import StudyMismatchError
from autolr.space import parse_space
from autolr.study import Study, Summary, open_study, peek

PARTS: dict[str, Any] = {
    "space": {"lr": {"low": 1e-5, "high": 1.0}, "rules": ["adam", "sgd"], "none": {}},
    "config": {"model": {"width": 3, "betas": (0.9, 0.999), "bias": True, "gap": math.nan}},
    "seed": 7,
}


def look(url: str) -> Summary:
    summary = peek(url, "digits")
    assert summary is not None
    return summary


def changed(**changes: Any) -> dict[str, Any]:
    return {**PARTS, **changes}


@pytest.fixture
def handle(url: str) -> Study:
    handle = open_study(url, "digits")
    handle.check_fingerprint(PARTS)
    return handle


def test_the_same_settings_pass_in_every_process(url: str, handle: Study) -> None:
    handle.check_fingerprint(PARTS)
    open_study(url, "digits").check_fingerprint(PARTS)
    assert look(url).fingerprint["config"]["model"]["betas"] == [0.9, 0.999]
    assert look(url).attrs == {}


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (changed(seed=8), "seed = 7, now it is 8"),
        (changed(seed=True), "seed = 7, now it is True"),
        (changed(extra="x"), "extra = not set, now it is 'x'"),
        ({k: v for k, v in PARTS.items() if k != "seed"}, "seed = 7, now it is not set"),
        (
            changed(config={"model": {**PARTS["config"]["model"], "betas": (0.9, 0.99)}}),
            "config.model.betas.1 = 0.999, now it is 0.99",
        ),
        (
            changed(space={**PARTS["space"], "rules": ["adam"]}),
            "space.rules.1 = 'sgd', now it is not set",
        ),
        (
            changed(space={**PARTS["space"], "none": None}),
            "space.none = {}, now it is None",
        ),
        (changed(seed="a\nb" * 100), "seed = 7, now it is 'a"),
    ],
)
def test_the_first_setting_that_differs_is_named_with_both_values(
    handle: Study, parts: dict[str, Any], named: str
) -> None:
    with pytest.raises(StudyMismatchError) as caught:
        handle.check_fingerprint(parts)
    message = str(caught.value)
    assert f"study 'digits' was made with {named}" in message
    assert 'study="NAME" for a new study, fresh=True to start over' in message
    assert "--study NAME for a new study, --fresh to start over" in caught.value.for_command()
    assert "\n" not in message
    assert len(message) < 300


def test_an_integer_and_the_same_float_are_one_setting(handle: Study) -> None:
    handle.check_fingerprint(changed(seed=7.0))


def test_the_order_of_settings_does_not_matter(handle: Study) -> None:
    handle.check_fingerprint(dict(reversed(PARTS.items())))


def test_a_mismatch_changes_nothing(url: str, handle: Study) -> None:
    with pytest.raises(StudyMismatchError):
        handle.check_fingerprint(changed(seed=8))
    open_study(url, "digits").check_fingerprint(PARTS)


def test_a_fresh_study_takes_new_settings(url: str, handle: Study) -> None:
    open_study(url, "digits", fresh=True).check_fingerprint(changed(seed=8))


def test_a_study_of_another_tool_is_refused(url: str) -> None:
    handle = open_study(url, "foreign")
    handle.complete(handle.ask(), 1.0)
    with pytest.raises(StudyMismatchError, match="not made by autolr"):
        handle.check_fingerprint(PARTS)


SPACE: dict[str, Any] = {
    "lr": {"low": 0.01, "high": 1.0, "log": True},
    "model.width": [8, 16, 32],
    "schedule": ["linear", "wsd"],
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model.width": [8, 32, 64]}, "the choice 16 of model.width is gone"),
        ({"model.width": 8}, "the choices 16 and 32 of model.width are gone"),
        ({"lr": {"low": 0.1, "high": 1.0, "log": True}}, "from 0.01 to 1 and is from 0.1 to 1"),
        ({"lr": [0.1, 0.2]}, "lr was from 0.01 to 1 and is one of 0.1 and 0.2"),
        ({"lr": {"low": 0.01, "high": 1.0}}, "space.lr.log = True, now it is False"),
    ],
)
def test_a_space_that_lost_values_is_refused_with_what_is_gone(
    url: str, changes: dict[str, Any], named: str
) -> None:
    handle = open_study(url, "grown")
    handle.check_fingerprint({"space": parse_space(SPACE).to_dict()})
    with pytest.raises(StudyMismatchError) as caught:
        handle.check_fingerprint({"space": parse_space({**SPACE, **changes}).to_dict()})
    assert f"{named} (a space may only grow)" in str(caught.value)
