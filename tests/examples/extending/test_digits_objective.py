"""A stranger's objective: it passes the contract, and a study searches with it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import autolr
from autolr.cli import main
from autolr.testing import ObjectiveContract

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "examples/extending/objective.yaml"


class TestDigitsObjective(ObjectiveContract):
    @pytest.fixture
    def source(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.chdir(CONFIG.parent)
        read: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        read["objective"]["init_args"]["epochs"] = 1
        return read


def test_a_study_searches_the_objectives_arguments_and_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tune", str(CONFIG)]) == 0
    out = capsys.readouterr().out
    assert "12 of 12 trials finished" in out
    assert "autolr fit" not in out
    best = yaml.safe_load(Path("autolr_runs/digits_objective/best.yaml").read_text())
    assert best["objective"]["init_args"].keys() == {"epochs", "width"}
    assert "trainer" not in best
    result = autolr.tune(CONFIG)
    assert result.trained == 0
    assert result.best[0].value is not None
    assert result.best[0].value < 0.5
    assert any(trial.state == "PRUNED" for trial in result.trials)


def test_the_objective_is_part_of_what_a_resumed_study_must_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(CONFIG.read_text())
    config["objective"]["class_path"] = "autolr.testing.counting.CountingObjective"
    config["objective"]["init_args"] = {"steps": 9}
    del config["tune"]["space"]["objective.init_args.width"]
    autolr.tune(config, trials=1)
    config["objective"]["init_args"] = {"steps": 12}
    with pytest.raises(autolr.StorageError, match=r"objective.init_args.steps = 9, now it is 12"):
        autolr.tune(config, trials=2)
