"""What version 0.1 wrote is read: results, schedules, a study that is resumed, its files.

The files in ``v0_1`` were written by version 0.1.0 (``AutoLR(...).result.save``, ``autolr tune
examples/digits/tune.yaml --trials 6``, and a checkpoint of step 20 of a run with `AutoLR`, whose
search ends at step 31); ``{folder}`` stands for the folder in which that ran.
"""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.cli import main
from autolr.errors import UnsupportedError
from autolr.space import Choice, Space
from autolr.study import look, open_study

_V0_1 = Path(__file__).parent / "v0_1"
_DIGITS = Path(__file__).parents[2] / "examples/digits"
_RESULTS = sorted(path.stem for path in (_V0_1 / "results").glob("*.json"))


def stored(name: str) -> Any:
    return json.loads((_V0_1 / "results" / f"{name}.json").read_text())


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished study, as 0.1 left it."""
    shutil.copytree(_DIGITS, tmp_path / "digits", ignore=shutil.ignore_patterns("__pycache__"))
    results = tmp_path / "autolr_runs/digits"
    results.mkdir(parents=True)
    for file in (_V0_1 / "study").iterdir():
        (results / file.name).write_text(file.read_text().replace("{folder}", str(tmp_path)))
    with sqlite3.connect(tmp_path / "autolr.db") as database:
        database.executescript((_V0_1 / "study.sql").read_text().replace("{folder}", str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", _RESULTS)
def test_a_result_is_what_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text((_V0_1 / "results" / f"{name}.json").read_text())
    result, was = autolr.load_result(tmp_path), stored(name)
    assert result.peak == float(was["peak"])
    assert result.rule == was["rule"]
    assert result.total_steps == was["total_steps"]
    assert result.probe_steps == was["probe_steps"]
    assert len(result.scores) == len(was["scores"])
    assert result.schedule == schedules.parse(was["schedule"])


def test_a_result_with_rollbacks_tells_them_on_its_page(tmp_path: Path) -> None:
    was = stored("returned")
    assert len(was["returns"]) == 4
    (tmp_path / "result.json").write_text(json.dumps(was))
    autolr.load_result(tmp_path).save(tmp_path / "again")
    page = (tmp_path / "again/result.html").read_text()
    assert all(f"{rolled['step']:,}".replace(",", "") in page for rolled in was["returns"])


def test_a_schedule_of_a_study_is_read() -> None:
    was = json.loads((_V0_1 / "study/schedule.json").read_text())
    schedule = schedules.parse(was["schedule"])
    total = was["total_steps"]
    assert schedule.values(total).max() == pytest.approx(1.0, abs=1e-12)
    assert schedule.at(total - 1, total) < 0.1


def test_a_finished_study_is_recognized_and_nothing_is_trained(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (study / "autolr_runs/digits/trials.csv").read_text()
    assert main(["tune", "digits/tune.yaml", "--trials", "6"]) == 0
    assert "is complete: 6 of 6 trials" in capsys.readouterr().out
    header, *rows = before.splitlines()
    again = (study / "autolr_runs/digits/trials.csv").read_text().splitlines()
    assert len(again) == len(rows) + 1
    assert set(header.split(",")) <= set(again[0].split(","))


def test_a_study_shows_the_trials_that_it_had(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    was = json.loads((_V0_1 / "study/show.json").read_text())
    assert main(["show", "digits", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    for key in ("study", "monitor", "direction"):
        assert shown[key] == was[key]
    for now, then in zip(shown["trials"], was["trials"], strict=True):
        for key in ("number", "state", "value", "params", "scores"):
            assert now[key] == then[key]


def test_a_study_is_reported(study: Path) -> None:
    assert main(["report", "digits"]) == 0
    assert "trial 5" in (study / "autolr_runs/digits/report.html").read_text()


def test_the_space_of_a_study_grows(study: Path) -> None:
    url = "sqlite:///autolr.db"
    parts = look(url, "digits").fingerprint
    assert parts["space"]["schedule"]["choices"] == ["linear", "cosine", "wsd"]
    more = {"choices": ["rex", "wsd", "cosine", "linear"]}
    wide = {**parts["space"]["lr"], "high": 10.0}
    grown = {**parts, "space": {**parts["space"], "schedule": more, "lr": wide}}
    handle = open_study(url, "digits", sampler="random")
    before = [trial.params for trial in handle.trials]
    handle.check_fingerprint(grown)
    space = Space.from_dict(look(url, "digits").fingerprint["space"])
    assert space.domains["schedule"] == Choice(("linear", "cosine", "wsd", "rex"))
    drawn = [space.suggest(handle.ask()) for _ in range(24)]
    assert "rex" in {point["schedule"] for point in drawn}
    again = open_study(url, "digits")
    assert [trial.params for trial in again.trials[: len(before)]] == before
    handle.check_fingerprint(grown)


@pytest.mark.slow
def test_a_study_continues_with_the_trials_that_it_had(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "digits/tune.yaml", "--trials", "7"]) == 0
    out = capsys.readouterr().out
    assert "trial 6 starts" in out
    assert not any(f"trial {number} starts" in out for number in range(6))
    assert main(["fit", "autolr_runs/digits/best.yaml"]) == 0


class Small(pl.LightningModule):
    """The module of the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 10)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


@pytest.mark.filterwarnings("ignore")
def test_a_search_under_way_is_refused_in_one_line(tmp_path: Path) -> None:
    images, labels = map(torch.from_numpy, load_digits(return_X_y=True))
    data = DataLoader(TensorDataset(images.float() / 16, labels), batch_size=32)
    trainer = pl.Trainer(
        max_steps=40,
        callbacks=[AutoLR()],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    with pytest.raises(UnsupportedError) as refused:
        trainer.fit(Small(), data, data, ckpt_path=_V0_1 / "mid_search.ckpt")
    assert str(refused.value) == (
        "the checkpoint holds a search under way of another version of autolr, which cannot be "
        "resumed: finish it with that version, or fit from the start"
    )
