"""Of which trials the weights stay."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

import autolr
from autolr.cli import main
from autolr.driver import (
    Noted,
)
from tests.cases import only_with_slow
from tests.driver.mean_of_ones import MODEL


def _kept(folder: Path) -> set[int]:
    files = folder.glob("autolr_runs/autolr/trial_*/weights.ckpt")
    return {int(file.parent.name.removeprefix("trial_")) for file in files}


def test_the_weights_of_the_best_trial_stay(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "tune.yaml"]) == 0
    best = _said_to_be_kept(capsys.readouterr().out)
    assert _kept(tmp_path) == {best}
    file = f"autolr_runs/autolr/trial_{best}/weights.ckpt"
    weight = torch.load(file, weights_only=True)["state_dict"]["w"]
    value = pd.read_csv("autolr_runs/autolr/trials.csv")["value"][best]
    assert float(((weight - 1) ** 2).mean()) == value
    assert (
        f"# Its weights, for load_from_checkpoint: {file}."
        in Path("autolr_runs/autolr/best.yaml").read_text()
    )
    assert not list(tmp_path.glob("autolr_runs/**/*.new"))


def _said_to_be_kept(out: str) -> int:
    """Return the number of the trial of which the console says where the weights are."""
    said = "weights of the best trial: "
    (line,) = (line for line in out.splitlines() if line.startswith(said))
    file = Path(line.removeprefix(said))
    assert file.is_file()
    return int(file.parent.name.removeprefix("trial_"))


@pytest.mark.parametrize("keep", [*only_with_slow(0), 2])
def test_as_many_weights_stay_as_the_config_says(
    config: dict[str, Any], tmp_path: Path, keep: int
) -> None:
    result = autolr.tune(config, keep=keep)
    assert len(result.best) > 2
    assert _kept(tmp_path) == {trial.number for trial in result.best[:keep]}


def test_a_finished_study_says_where_its_weights_are_not_those_of_keep(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["tune"]["pruner"] = "none"
    best, *others = (trial.number for trial in autolr.tune(config, trials=3).best)

    def said(keep: int) -> list[str]:
        heard: list[Any] = []
        autolr.tune(config, trials=3, keep=keep, listener=heard.append)
        return [event.line for event in heard if isinstance(event, Noted)]

    assert said(1) == []
    (gone,) = said(3)
    lost = ", ".join(map(str, sorted(others)))
    assert gone.startswith(f"keep is 3, and there are no weights of trials {lost}: ")
    (left,) = said(0)
    assert left.startswith(f"keep is 0, and there are weights of trial {best}: ")
    assert main(re.findall("clean [a-z]+ --keep 0", left)[0].split()) == 0
    assert _kept(tmp_path) == set()
    assert said(0) == []


def test_weights_that_a_killed_driver_left_are_removed(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["tune"]["pruner"] = "none"
    autolr.tune(config, trials=2)
    for number in (0, 1):
        (tmp_path / f"autolr_runs/autolr/trial_{number}/weights.ckpt").touch()
    result = autolr.tune(config, trials=3)
    assert _kept(tmp_path) == {result.best[0].number}


def test_a_model_that_cannot_be_stored_is_trained_all_the_same(
    config: dict[str, Any], tmp_path: Path
) -> None:
    text = MODEL.replace(
        "    def configure_optimizers",
        "    def on_save_checkpoint(self, checkpoint):\n"
        "        checkpoint['f'] = lambda: 0\n\n"
        "    def configure_optimizers",
    )
    (tmp_path / "unstorable.py").write_text(text)
    config["model"]["class_path"] = "unstorable.Mean"
    config["data"]["class_path"] = "unstorable.Ones"
    config["tune"]["pruner"] = "none"
    heard: list[Any] = []
    result = autolr.tune(config, trials=1, listener=heard.append)
    assert result.trials[0].state == "COMPLETE"
    (line,) = (event.line for event in heard if isinstance(event, Noted))
    assert line.startswith("trial 0: its weights cannot be kept: ")
    assert _kept(tmp_path) == set()
    assert not list(tmp_path.glob("autolr_runs/**/*.new"))


@pytest.mark.slow
def test_each_seed_of_the_best_trial_keeps_its_weights(
    config: dict[str, Any], tmp_path: Path
) -> None:
    result = autolr.tune(config, trials=3, seeds=2, pruner="none")
    files = sorted(tmp_path.glob("autolr_runs/autolr/trial_*/**/weights.ckpt"))
    own = tmp_path / f"autolr_runs/autolr/trial_{result.best[0].number}"
    assert files == [own / "seed_0/weights.ckpt", own / "seed_1/weights.ckpt"]
    header = (tmp_path / "autolr_runs/autolr/best.yaml").read_text()
    assert header.count("/weights.ckpt") == 2
