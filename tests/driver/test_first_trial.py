"""What a study leaves to the search inside its first trial."""

from typing import Any

import optuna
import pytest

from autolr.candidate import Candidate
from autolr.config import read_config
from autolr.driver.first_trial import FirstTrial
from autolr.job import PeakSearch
from autolr.search_spaces import load_space
from autolr.space import parse_space

LR = {"low": 1e-4, "high": 1e-1, "log": True}


def first(**domains: Any) -> FirstTrial | None:
    return FirstTrial.of(parse_space(domains), 1000)


def test_of_several_profiles_none_is_drawn_as_the_search_has_its_own_schedule() -> None:
    found = FirstTrial.of(load_space("default"), 1000)
    assert found == FirstTrial("fixed", PeakSearch((1e-4, 1e-1), chooses_schedule=True), None)
    assert found.search.chosen == ("lr", "schedule")


def test_a_single_profile_and_its_settings_stay() -> None:
    found = first(lr=LR, schedule="wsd", cooldown={"low": 0.1, "high": 0.5})
    assert found is not None
    assert not found.search.chooses_schedule
    assert found.space == parse_space({"schedule": "wsd", "cooldown": {"low": 0.1, "high": 0.5}})


def test_the_users_own_parameters_are_drawn_as_ever() -> None:
    width = {"low": 8, "high": 64, "type": "int"}
    found = first(**{"lr": LR, "schedule": ["linear", "cosine"], "model.init_args.width": width})
    assert found is not None
    assert found.space == parse_space({"model.init_args.width": width})
    assert found.search.budget == 0.12
    candidate = found.candidate(optuna.create_study().ask())
    assert candidate.peak is None
    assert [name for name, _ in candidate.settings] == ["model.init_args.width"]


def test_a_section_of_the_config_is_drawn_as_the_users_other_parameters() -> None:
    space = {"lr": LR, "schedule": ["linear", "cosine"], "optimizer": ["torch.optim.Adam"]}
    config = read_config({"model": {}, "tune": {"space": space}})
    found = FirstTrial.of(config.space, 1000, config.own_point)
    assert found is not None
    assert found.search.budget == 0.12
    candidate = found.candidate(optuna.create_study().ask())
    assert dict(candidate.settings) == {"optimizer": "torch.optim.Adam"}


def test_a_short_run_keeps_the_whole_budget_of_its_search() -> None:
    space = parse_space({"lr": LR, "model.width": [8, 16]})
    found = [FirstTrial.of(space, steps) for steps in (124, 125)]
    assert [one and one.search.budget for one in found] == [None, 0.12]


def test_the_users_own_values_are_taken_where_the_space_has_them() -> None:
    space = {"lr": LR, "model.width": {"low": 8, "high": 64, "type": "int"}, "model.norm": ["a"]}
    config = read_config({"model": {"width": 16, "norm": "b"}, "tune": {"space": space}})
    assert config.own_point == {"model.width": 16}
    found = FirstTrial.of(config.space, 1000, config.own_point)
    assert found is not None
    candidate = found.candidate(optuna.create_study().ask())
    assert dict(candidate.settings) == {"model.width": 16, "model.norm": "a"}


@pytest.mark.parametrize(
    "domains",
    [
        {"lr": [0.1, 0.01]},
        {"lr": 0.1, "schedule": ["linear", "cosine"]},
        {"lr": "online"},
        {"schedule": ["linear", "cosine"]},
        {"rule": "dog", "schedule": ["constant", "linear"]},
    ],
)
def test_a_space_without_a_range_of_peaks_has_no_such_trial(domains: dict[str, Any]) -> None:
    assert first(**domains) is None


def test_of_several_rules_the_modules_own_optimizer_is_searched() -> None:
    space = {
        "rule": ["polyak", "fixed"],
        "lr.own": LR | {"when": {"rule": "fixed"}},
        "lr.other": {"low": 0.1, "high": 2.0, "when": {"rule": "polyak"}},
        "schedule": "linear",
    }
    found = first(**space)
    assert found is not None
    trial = optuna.create_study().ask()
    assert (found.rule, found.search.rates) == ("fixed", (1e-4, 1e-1))
    assert found.candidate(trial) == Candidate("fixed", None)
    assert trial.params == {"rule": "fixed", "schedule": "linear"}
