"""`autolr.tune` from Python, on a model made here."""

import copy
import dataclasses
import inspect
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import autolr
from autolr.cli import main
from autolr.driver import (
    CheckStarted,
    RungReached,
    StudyReady,
    TrialEnded,
    TrialStarted,
)
from autolr.errors import ConfigError, StorageError, StudyMismatchError
from autolr.objective.lightning_cli import lightning_errors
from autolr.tune_config import TuneConfig


def test_two_objectives_leave_the_trials_that_none_beats_in_both(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config["tune"] |= {
        "space": {"lr": [0.001, 0.01, 0.1], "trainer.max_epochs": [1, 2, 3]},
        "objective": ["val_loss", "cost"],
        "trials": 8,
    }
    autolr.tune(config, trials=5)
    result = autolr.tune(config)
    assert (result.trained, result.finished) == (3, 8)
    assert {trial.cost for trial in result.trials} <= {27.0, 54.0, 81.0}
    cheapest: dict[float, float] = {}  # by cost, the lowest loss
    for trial in result.trials:
        assert trial.value is not None
        assert trial.cost is not None
        cheapest[trial.cost] = min(trial.value, cheapest.get(trial.cost, math.inf))
    front = {
        (loss, cost)
        for cost, loss in cheapest.items()
        if all(loss < other for steps, other in cheapest.items() if steps < cost)
    }
    assert {(trial.value, trial.cost) for trial in result.best} == front
    assert result.best[0].value == min(cheapest.values())
    assert (
        f"(trial {result.best[0].number}, "
        in (tmp_path / "autolr_runs/autolr/best.yaml").read_text()
    )
    table = pd.read_csv(tmp_path / "autolr_runs/autolr/trials.csv")
    assert table["value"].tolist() == [trial.value for trial in result.trials]
    assert table["steps"].tolist() == [trial.cost for trial in result.trials]

    assert main(["show", "autolr"]) == 0
    heading, _, _, _, *rows = capsys.readouterr().out.splitlines()
    assert heading == "study 'autolr': 8 complete; lower val_loss and lower cost is better"
    numbers = [trial.number for trial in result.best]
    assert [row.split()[:2] for row in rows[: len(numbers)]] == [[str(n), "*"] for n in numbers]
    assert main(["show", "autolr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["front"] == numbers

    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "two.yaml"]) == 0
    output = capsys.readouterr().out
    assert "8 of 8 trials finished, nothing to train" in output
    assert "no other trial is better in both val_loss and cost than these:" in output
    del config["tune"]["objective"]
    with pytest.raises(StudyMismatchError, match=r"study 'autolr' was made with pruner.name = "):
        autolr.tune(config)


def test_a_listener_hears_each_trial_from_start_to_end(config: dict[str, Any]) -> None:
    heard: list[object] = []
    result = autolr.tune(config, listener=heard.append)
    checking, ready = heard[:2]
    assert isinstance(checking, CheckStarted)
    assert isinstance(ready, StudyReady)
    assert (ready.run_steps, ready.finished, ready.resumed) == (27, 0, ())
    assert ready.hyperband is not None
    started = [event for event in heard if isinstance(event, TrialStarted)]
    ended = [event for event in heard if isinstance(event, TrialEnded)]
    assert {event.number for event in started} == {event.trial.number for event in ended}
    assert not any(event.again for event in started)
    rungs = [event for event in heard if isinstance(event, RungReached)]
    for event in rungs:
        bracket = next(one.bracket for one in started if one.number == event.number)
        assert bracket is not None
        assert event.step in ready.hyperband.rungs(bracket)
    waited = {event.number for event in rungs if event.waits}
    promoted = {event.number for event in started if event.promoted is not None}
    assert promoted <= waited
    pruned = {trial.number for trial in result.trials if trial.state == "PRUNED"}
    assert pruned <= waited
    assert pruned | promoted == waited
    assert (result.finished, result.failed, result.trained) == (5, 0, 5)
    assert result.complete
    # w goes from 0 towards 1: the larger rate is nearer after 27 steps
    assert result.best[0].params["lr"] == 0.1
    assert [file.name for file in result.files] == ["best.yaml", "schedule.json", "trials.csv"]
    assert result.best[0].value == pytest.approx(0.0, abs=0.01)

    heard.clear()
    again = autolr.tune(config, listener=heard.append)
    assert (again.trained, again.complete, heard) == (0, True, [])
    assert again.best == result.best


def test_arguments_stand_in_for_settings_of_the_config(config: dict[str, Any]) -> None:
    result = autolr.tune(config, trials=1, study="other", out="results", pruner="none")
    assert result.finished == 1
    assert (result.config.tune.study, result.config.tune.pruner.name) == ("other", "none")
    assert Path("results/trials.csv").is_file()
    with pytest.raises(TypeError, match="trails"):
        autolr.tune(config, trails=1)  # type: ignore[call-arg]


def test_a_space_that_is_given_replaces_that_of_the_config(config: dict[str, Any]) -> None:
    result = autolr.tune(config, {"lr": 0.05, "schedule": ["cosine"]}, trials=1)
    assert result.trials[0].params == {"lr": 0.05, "schedule": "cosine"}


def test_the_signature_of_tune_has_every_setting_of_the_section() -> None:
    given = set(inspect.signature(autolr.tune).parameters)
    own = {"config", "max_steps", "seed", "fresh", "dry_run", "listener"}
    assert given - own == {field.name for field in dataclasses.fields(TuneConfig)}


def test_the_mapping_is_left_as_it_was(config: dict[str, Any]) -> None:
    stopping = {"class_path": "lightning.pytorch.callbacks.EarlyStopping"}
    config["trainer"]["callbacks"] = [stopping | {"init_args": {"monitor": "val_loss"}}]
    before = copy.deepcopy(config)
    result = autolr.tune(config, trials=2, study="callbacks")
    assert result.finished == 2
    assert config == before


def test_a_dry_run_opens_no_study(config: dict[str, Any]) -> None:
    result = autolr.tune(config, dry_run=True)
    assert result.trials == ()
    assert not Path("autolr.db").exists()


@pytest.mark.slow
def test_a_folder_of_results_holds_one_study(config: dict[str, Any], tmp_path: Path) -> None:
    first = autolr.tune(config, trials=1, study="a", out="shared")
    others: list[dict[str, Any]] = [
        {"study": "b"},
        {"study": "a", "storage": "sqlite:///other.db"},
    ]
    for settings in others:
        for fresh in (False, True):
            with pytest.raises(StorageError, match="out shared holds the results of study 'a' in"):
                autolr.tune(config, trials=1, out="shared", fresh=fresh, **settings)
    other = autolr.tune(config, trials=1, study="b", out="own")
    with pytest.raises(StorageError, match="study 'a'"):  # complete, it writes nothing there either
        autolr.tune(config, trials=1, study="b", out="shared")
    assert (first.trained, other.trained) == (1, 1)
    (tmp_path / "autolr.db").rename(tmp_path / "moved.db")
    moved: dict[str, Any] = {"study": "a", "storage": "sqlite:///moved.db", "out": "shared"}
    assert autolr.tune(config, trials=2, **moved).trained == 1
    assert autolr.tune(config, trials=1, fresh=True, **moved).trained == 1


def test_files_that_another_folder_has_left_behind_are_written_again(
    config: dict[str, Any], tmp_path: Path
) -> None:
    autolr.tune(config, trials=1)
    autolr.tune(config, trials=3, out="elsewhere")
    again = autolr.tune(config, trials=3)
    assert again.trained == 0
    assert tmp_path / "autolr_runs/autolr/trials.csv" in [file.absolute() for file in again.files]
    for name in ("trials.csv", "schedule.json"):
        texts = [(tmp_path / out / name).read_text() for out in ("autolr_runs/autolr", "elsewhere")]
        assert texts[0] == texts[1]
    assert autolr.tune(config, trials=3).files == ()


def test_a_full_disk_is_not_the_fault_of_who_writes_to_it(tmp_path: Path) -> None:
    output = r"^cannot write to .*: No space left on device$"
    with pytest.raises(StorageError, match=output), lightning_errors(tmp_path):
        Path("/dev/full").write_text("x")


def test_a_link_to_nothing_is_no_folder_for_results(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"link is a broken link"):
        autolr.tune(config, out="link")


def test_a_run_s_logger_has_the_trial_s_number_and_settings(
    config: dict[str, Any], tmp_path: Path
) -> None:
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "l"}}
    config["trainer"]["logger"] = logger
    config["tune"] |= {"space": {"lr": [0.01, 0.1], "trainer.max_epochs": [1, 2]}}
    result = autolr.tune(config, trials=2)
    for file in Path("l").glob("**/hparams.yaml"):
        logged = yaml.safe_load(file.read_text())
        params = result.trials[logged["autolr/trial"]].params
        assert logged["autolr/lr"] == params["lr"]
        assert logged["autolr/trainer.max_epochs"] == params["trainer.max_epochs"]
    assert len(list(Path("l").glob("**/hparams.yaml"))) == 2


def test_a_run_on_several_devices_is_not_repeated_in_one_process(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config["trainer"] |= {"devices": 2, "strategy": "ddp"}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "two.yaml", "--seeds", "2"]) == 2
    assert "seeds must be 1 for a run on several devices" in capsys.readouterr().err
