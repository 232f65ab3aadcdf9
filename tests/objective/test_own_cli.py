"""Studies of projects with a LightningCLI of their own, and of what LightningCLI itself writes."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import tune
from autolr.cli import main
from autolr.errors import ConfigError, UserCodeError
from tests.objective.own_project import LR, MAPPING, config


@pytest.mark.parametrize(
    "cli", ["own_project.main", "own_project:main", "own_project.ClosedCLI", MAPPING]
)
def test_links_defaults_callbacks_and_arguments_are_those_of_the_own_cli(
    project: Any, cli: object
) -> None:
    (trial,) = tune(config(cli)).trials
    assert trial.state == "COMPLETE"
    seen = project.SEEN[-1]
    assert seen["width"] == trial.params["model.width"]
    assert seen["epochs"] == 2
    assert seen["words"] == ["linked"]
    assert seen["marked"] == "given"
    assert len(project.PARSERS) == 2  # of the check and of the trial, each for fit alone
    assert ("Always" in seen["callbacks"]) == (cli is not MAPPING)
    assert ("ModelCheckpoint" in seen["callbacks"]) == (cli is not MAPPING)
    assert not {"SaveConfigCallback", "TQDMProgressBar", "RichProgressBar"} & {*seen["callbacks"]}


def test_the_best_run_is_repeated_by_autolr_and_by_the_script_itself(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial,) = tune(config("own_project.main")).trials
    best = tmp_path / "autolr_runs/autolr/best.yaml"
    assert '# Cli: "own_project.main"' in best.read_text()
    assert "cli" not in yaml.safe_load(best.read_text())
    assert main(["fit", str(best)]) == 0
    assert project.SEEN[-1]["val_loss"] == trial.value
    monkeypatch.setattr(sys, "argv", ["own_project.py", "fit", "-c", str(best)])
    with pytest.raises(AssertionError, match="what follows"):
        project.main()
    assert project.SEEN[-1]["val_loss"] == trial.value


@pytest.mark.slow
def test_what_the_cli_saves_beside_a_run_can_be_tuned(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["own_project.py", "fit"])
    with pytest.raises(AssertionError, match="what follows"):
        project.main()
    (saved,) = tmp_path.glob("lightning_logs/version_0/config.yaml")
    written = yaml.safe_load(saved.read_text())
    assert written["ckpt_path"] is None
    section = config(None)["tune"]
    (trial,) = tune({**written, "cli": "own_project.main", "tune": section}).trials
    assert trial.state == "COMPLETE"
    assert not {"TQDMProgressBar", "RichProgressBar"} & {*project.SEEN[-1]["callbacks"]}


def test_trials_share_no_callback_of_the_trainers_defaults(project: Any) -> None:
    tune(config("own_project.ClosedCLI", tune={"trials": 2}))
    assert [seen["runs"] for seen in project.SEEN] == [[1], [1], [1]]  # the check, and the trials


def test_sections_of_an_optimizer_are_tuned(project: Any) -> None:
    cli = {
        "class_path": "own_project.OptimizerCLI",
        "init_args": {
            "model_class": "own_project.Plain",
            "datamodule_class": "own_project.OwnPoints",
        },
    }
    space = {"lr": LR, "optimizer.weight_decay": {"low": 0.0, "high": 0.1}}
    given = config(cli, trainer={"max_epochs": 1, "accelerator": "cpu"}, tune={"space": space})
    del given["mark"]
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"
    assert 0.0 < trial.params["optimizer.weight_decay"] < 0.1


def test_a_script_that_fits_by_hand_is_left_when_it_has_its_cli(project: Any) -> None:
    given = config("own_project.by_hand", trainer={"max_epochs": 1, "accelerator": "cpu"})
    del given["mark"]
    given["model"] = {"n_in": 3}
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"
    assert len(project.SEEN) == 2  # the check, and the trial


def test_a_setting_that_the_cli_does_not_have_is_named_in_one_line(project: Any) -> None:
    with pytest.raises(ConfigError, match=r"^words: unknown key 'wrod'"):
        tune(config("own_project.main", words={"wrod": "x"}))
    with pytest.raises(ConfigError, match=r"^tune.space: model: unknown key 'heads'$"):
        tune(config("own_project.main", tune={"space": {"lr": LR, "model.heads": [1]}}))
    with pytest.raises(ConfigError, match=r"^model.width must be int, got wide"):
        tune(config("own_project.main", model={"width": "wide"}))


@pytest.mark.parametrize(
    ("cli", "message"),
    [
        ("own_project.nothing", "cli must be the path of a LightningCLI, or of a function that"),
        ("own_project.OwnNet", "cli must be"),
        ("own_project.SEEN", "cli must be"),
        ("own_project.Missing", "cli must be the path of a class that can be imported"),
        ({"class_path": "own_project.OwnCLI", "args": {}}, "cli must be"),
        (3, "cli must be"),
    ],
)
def test_what_is_no_cli_is_refused(project: Any, cli: object, message: str) -> None:
    with pytest.raises((ConfigError, UserCodeError)) as error:
        tune(config(cli))
    assert message in str(error.value)
    assert isinstance(error.value, ConfigError)


def test_without_the_cli_the_message_says_what_to_do(project: Any) -> None:
    model = {"class_path": "own_project.OwnNet"}
    given = {"model": model, "data": "own_project.OwnPoints", "tune": config(None)["tune"]}
    given["tune"]["space"] = {"lr": LR}
    with pytest.raises(ConfigError, match=r"needs n_in; if your own LightningCLI .* write cli:"):
        tune(given)
    with pytest.raises(ConfigError, match=r"^model must have a class_path; if your own .* cli:"):
        tune({**given, "model": {"width": 3}})
    with pytest.raises(ConfigError, match=r"unknown key 'words'.* write cli: my_project.MyCLI"):
        tune({**given, "words": {"word": "x"}})


def test_short_names_of_classes_are_those_of_lightning_cli(project: Any) -> None:
    given = config(
        {"class_path": "own_project:LightningCLI", "init_args": {"trainer_defaults": {}}},
        model="OwnNet",
        data={"class_path": "OwnPoints"},
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        tune={"space": {"lr": LR, "model.init_args.n_in": 3}},
    )
    del given["mark"]
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"


def test_an_objective_needs_no_cli(project: Any) -> None:
    with pytest.raises(ConfigError, match="leave out cli"):
        tune(config("own_project.main", objective="own_project.OwnNet"))


@pytest.mark.slow
def test_workers_make_the_own_cli_too(project: Any) -> None:
    result = tune(config("own_project.main", tune={"trials": 2, "workers": 2}))
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 2


def test_arguments_at_the_top_level_and_whole_sections_are_searched(
    project: Any, tmp_path: Path
) -> None:
    marks, words = ["a", "b"], [{"word": "x"}, {"word": "y"}]
    given = config("own_project.main", tune={"space": {"lr": LR, "mark": marks, "words": words}})
    del given["mark"]
    (trial,) = tune(given, start=[{"mark": "b", "words": {"word": "y"}}], online=False).trials
    assert (project.SEEN[-1]["marked"], project.SEEN[-1]["words"]) == ("b", ["y"])
    assert (trial.params["mark"], trial.params["words"]) == ("b", {"word": "y"})
    best = yaml.safe_load((tmp_path / "autolr_runs/autolr/best.yaml").read_text())
    assert (best["mark"], best["words"]) == ("b", {"word": "y"})
    assert tune(given, trials=trial.number + 2, online=False).trained == 1  # it is continued
    given["tune"]["space"] = {"lr": LR, "mrk": marks}
    with pytest.raises(ConfigError, match=r"^tune\.space: unknown key 'mrk'"):
        tune(given, study="another")


@pytest.mark.parametrize(
    ("name", "cli"),
    [("trainer", True), ("seed_everything", True), ("schedul", True), ("mark", False)],
)
def test_what_a_study_sets_itself_is_no_parameter(project: Any, name: str, cli: bool) -> None:
    given = config("own_project.main" if cli else None, tune={"space": {"lr": LR, name: [1, 2]}})
    del given["mark"]
    with pytest.raises(ConfigError, match=rf"^space: unknown parameter '{name}'"):
        tune(given)
