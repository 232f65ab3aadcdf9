"""The setting `tune.sampler`: names, class paths, and what cannot be either."""

from pathlib import Path
from typing import Any

import pytest

from autolr.config import fingerprint, read_config
from autolr.driver.messages import CheckConfig, TrainTrial
from autolr.driver.wire import from_json, to_json
from autolr.errors import ConfigError
from autolr.sampler import parse_sampler, sampler_text
from autolr.tune_config import TuneConfig, parse_tune

QMC = "optuna.samplers.QMCSampler"


@pytest.mark.parametrize(
    "given",
    [
        QMC,
        "QMCSampler",
        {"class_path": QMC},
        {"class_path": "QMCSampler", "init_args": {}},
        {"class_path": QMC, "init_args": None},
    ],
)
def test_a_class_is_the_same_sampler_however_it_is_written(given: object) -> None:
    assert parse_sampler(given) == {"class_path": QMC, "init_args": {}}


@pytest.mark.parametrize("name", ["tpe", "random", "gp", "cmaes"])
def test_a_name_stays_what_it_was(name: str) -> None:
    assert parse_tune({"sampler": name}).sampler == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "tune.sampler must be one of tpe, random, gp, cmaes, got None; or give a class"),
        (3, "tune.sampler must be one of tpe, random, gp, cmaes, got 3; or"),
        ("a b", "tune.sampler must be one of tpe, random, gp, cmaes, got 'a b'; or"),
        ([QMC], f"tune.sampler must be one of tpe, random, gp, cmaes, got ['{QMC}']; or"),
        (
            {},
            "tune.sampler.class_path must be a class such as optuna.samplers.QMCSampler, got None",
        ),
        ({"class_path": "tpe"}, "tune.sampler.class_path must be a class such as"),
        ({"class_path": QMC, "init_arg": {}}, "tune.sampler: unknown key 'init_arg'; did you mean"),
        ({"class_path": QMC, "init_args": [1]}, "tune.sampler.init_args must be a mapping from"),
        ({"class_path": QMC, "init_args": {1: 2}}, "tune.sampler.init_args must be a mapping from"),
        ({"class_path": QMC, "init_args": {"seed": object()}}, "tune.sampler.init_args must be a"),
    ],
)
def test_what_is_no_sampler_is_refused_in_one_line(given: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_tune({"sampler": given})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_flag_keeps_the_sampler() -> None:
    tune = TuneConfig(sampler={"class_path": QMC, "init_args": {"seed": 1}})
    assert tune.override(trials=9).sampler == tune.sampler


def config(sampler: object) -> Any:
    return read_config({"model": {}, "tune": {"space": {"lr": 0.1}, "sampler": sampler}})


def test_a_worker_gets_the_sampler_that_the_driver_has() -> None:
    sent = config({"class_path": QMC, "init_args": {"qmc_type": "halton"}})
    received: CheckConfig
    (received,) = from_json(to_json(CheckConfig(sent, Path("out"))), CheckConfig | TrainTrial)
    assert received.config.tune.sampler == sent.tune.sampler


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (QMC, "QMCSampler", True),
        ({"class_path": QMC, "init_args": {"seed": 1}}, QMC, False),
        (QMC, "optuna.samplers.TPESampler", False),
        (QMC, "tpe", False),
    ],
)
def test_a_study_is_that_of_its_sampler_and_its_arguments(
    one: object, other: object, same: bool
) -> None:
    assert (fingerprint(config(one)) == fingerprint(config(other))) is same


def test_a_sampler_is_shown_as_a_call_and_so_is_one_within_it() -> None:
    inner = {"class_path": "a.Inner", "init_args": {"x": 1}}
    shown = sampler_text({"class_path": "a.Outer", "init_args": {"base": inner, "share": 0.1}})
    assert shown == "a.Outer(base=a.Inner(x=1), share=0.1)"
    assert sampler_text("tpe") == "tpe"


def test_a_name_in_capitals_is_no_class_of_optuna() -> None:
    with pytest.raises(ConfigError, match=r"unknown tune\.sampler 'TPE'; it must be one of: tpe, "):
        config("TPE")
