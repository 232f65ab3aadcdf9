"""A study by a sampler of one's own: what the user sees of it, from the command line on."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import tune
from autolr.cli import main
from autolr.errors import StudyMismatchError

OBJECTIVE = {"class_path": "autolr.testing.counting.CountingObjective"}
SPACE = {"lr": {"low": 0.01, "high": 1.0, "log": True}}
MINE = """\
from optuna.samplers import RandomSampler

class Mine(RandomSampler):
    def __init__(self, share: float, seed: int | None = None):
        super().__init__(seed)

    def sample_independent(self, study, trial, name, distribution):
        if trial.number == 2 and study.study_name == "fails":
            raise RuntimeError("nothing left")
        return super().sample_independent(study, trial, name, distribution)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a sampler beside the config; the working folder is another one."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "beside/mine_beside.py").write_text(MINE)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "mine_beside", raising=False)
    return tmp_path


def config(folder: Path, sampler: object, **settings: object) -> str:
    """Write a config, and return its file."""
    section = {"space": SPACE, "trials": 3, "sampler": sampler, **settings}
    file = folder / "beside/tune.yaml"
    file.write_text(yaml.safe_dump({"objective": OBJECTIVE, "tune": section}))
    return str(file)


def of(share: object) -> dict[str, Any]:
    return {"class_path": "mine_beside.Mine", "init_args": {"share": share}}


def test_a_class_beside_the_config_is_found_run_and_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", config(folder, of(0.5))]) == 0
    assert "sampler mine_beside.Mine(share=0.5)" in capsys.readouterr().out
    assert main(["show", "autolr"]) == 0
    assert "; sampler mine_beside.Mine(share=0.5)" in capsys.readouterr().out
    assert main(["report", "autolr"]) == 0
    page = Path("autolr_runs/autolr/report.html").read_text()
    assert "sampler mine_beside.Mine(share=0.5)" in page


@pytest.mark.slow
def test_workers_train_what_the_drivers_sampler_chooses(folder: Path) -> None:
    alone = tune(config(folder, of(0.5)), study="alone")
    shared = tune(config(folder, of(0.5)), study="shared", workers=1, trial_timeout=60)
    assert shared.finished == 3
    assert [trial.params for trial in shared.trials] == [trial.params for trial in alone.trials]


@pytest.mark.parametrize(
    ("sampler", "line"),
    [
        (of("wide"), "tune.sampler.init_args.share must be float, got wide"),
        ({"class_path": "mine_beside.Mine"}, "tune.sampler.init_args.share is missing"),
        ({"class_path": "nowhere.Mine"}, "tune.sampler.class_path must be the path of a class"),
        ("autolr.testing.counting.CountingObjective", "tune.sampler.class_path must be a sampler"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_a_sampler_that_cannot_work_is_refused_before_anything_is_stored(
    folder: Path, sampler: object, line: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", config(folder, sampler), *flags]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error
    assert not Path("autolr.db").exists()


def test_a_study_continues_with_its_sampler_and_with_no_other(folder: Path) -> None:
    tune(config(folder, of(0.5)))
    assert tune(config(folder, of(0.5), trials=4)).finished == 4
    with pytest.raises(StudyMismatchError, match=r"sampler.init_args.share = 0.5, now it is 0.6"):
        tune(config(folder, of(0.6), trials=5))
    with pytest.raises(StudyMismatchError, match="sampler"):
        tune(config(folder, "tpe", trials=5))


def test_an_error_of_a_sampler_in_mid_study_is_one_line_and_the_study_can_be_resumed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(folder, of(0.5), study="fails")
    assert main(["tune", file]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert "tune.sampler mine_beside.Mine(share=0.5): RuntimeError: nothing left" in error
    assert "mine_beside.py:9" in error
    assert main(["show", "fails", "--json"]) == 0
    states = [trial["state"] for trial in json.loads(capsys.readouterr().out)["trials"]]
    assert states[:2] == ["COMPLETE", "COMPLETE"]
