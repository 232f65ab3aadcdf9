"""Studies of modules with a scheduler of their own: its shape is kept, its peak is searched."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import tune
from autolr.candidate import Candidate
from autolr.cli import main
from autolr.config import read_config
from autolr.errors import ConfigError
from autolr.job import Decision, TrialJob
from autolr.objective import run_trial
from tests.cases import only_with_slow, with_slow

PROJECT = '''\
"""A line to fit, and schedulers for it; APPLIED has the rate of each step by trial folder."""

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
APPLIED = {}


class Points(LightningDataModule):
    def points(self):
        x = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
        return TensorDataset(x, x.sum(1, keepdim=True))

    def train_dataloader(self):
        return DataLoader(self.points(), 8, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.points(), 32)


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def training_step(self, batch):
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def on_before_optimizer_step(self, optimizer):
        rates = APPLIED.setdefault(self.trainer.default_root_dir.rpartition("/")[2], {})
        rates[self.trainer.global_step] = float(optimizer.param_groups[0]["lr"])

    def on_fit_end(self):
        APPLIED["end"] = float(self.trainer.callback_metrics["val_loss"])


class Warm(Line):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.25)
        shape = lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 4))
        return [optimizer], [{"scheduler": shape, "interval": "step"}]


class Plateau(Line):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.25)
        watching = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=9.0)
        return {"optimizer": optimizer, "lr_scheduler": watching, "monitor": "val_loss"}
'''
LR = {"low": 0.001, "high": 0.1, "log": True}
EPOCHS, BATCHES = 6, 4
SECTIONS = {
    "model": {"class_path": "scheduled.Line"},
    "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.25}},
    "lr_scheduler": {"class_path": "ExponentialLR", "init_args": {"gamma": 0.5}},
}
UNSCHEDULED = {name: SECTIONS[name] for name in ("model", "optimizer")}
SHAPES: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "section": (SECTIONS, lambda step: 0.5 ** (step // BATCHES)),
    "module": ({"model": "scheduled.Warm"}, lambda step: min(1, (step + 1) / 4)),
    "plateau": ({"model": "scheduled.Plateau"}, lambda step: 0.5 ** (step // BATCHES)),
}


class Waits:
    """Lets a run wait at each rung."""

    def judge(self, step: int, score: float) -> Decision:
        return Decision.PAUSE

    def remark(self, line: str) -> None:
        raise AssertionError(line)


@pytest.fixture
def applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[int, float]]:
    """Return the rates that were applied; the working folder is the project's."""
    (tmp_path / "scheduled.py").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "scheduled", raising=False)
    rates: dict[str, dict[int, float]] = importlib.import_module("scheduled").APPLIED
    return rates


def config(sections: dict[str, Any], space: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {
        "seed_everything": 1,
        "trainer": {"max_epochs": EPOCHS, "accelerator": "cpu"},
        "data": "scheduled.Points",
        **sections,
        "tune": {"space": space, "trials": 1, "pruner": "none", "online": False, **settings},
    }


@pytest.mark.parametrize("kind", with_slow([*SHAPES], "module"))
def test_each_step_is_made_at_the_own_schedule_with_the_peak_that_is_tried(
    applied: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    sections, shape = SHAPES[kind]
    (trial,) = tune(config(sections, {"lr": LR})).trials
    expected = [trial.params["lr"] * shape(step) for step in range(EPOCHS * BATCHES)]
    assert [*applied["trial_0"].values()] == pytest.approx(expected, rel=1e-9)
    best = tmp_path / "autolr_runs/autolr/best.yaml"
    (follow,) = yaml.safe_load(best.read_text())["trainer"]["callbacks"]
    assert follow["init_args"]["own_peak"] == 0.25
    assert main(["fit", str(best), "--out", "again"]) == 0
    assert applied["again"] == applied["trial_0"]
    assert applied["end"] == trial.value
    assert json.loads((best.parent / "schedule.json").read_text())["own_peak"] == 0.25


def test_the_first_trial_keeps_the_shape_where_it_searches_its_peak(
    applied: dict[str, Any],
) -> None:
    sections, shape = SHAPES["module"]
    (trial,) = tune(config(sections, {"lr": LR}, online=True)).trials
    made = applied["trial_0"]
    expected = [trial.attrs["found"]["peak"] * shape(step) for step in range(EPOCHS * BATCHES)]
    assert [*made.values()] == pytest.approx(expected, rel=1e-9)
    assert trial.attrs["own_peak"] == 0.25


@pytest.mark.parametrize("kind", with_slow([*SHAPES], "plateau"))
@pytest.mark.parametrize("peak", [0.01, *only_with_slow(None)])
def test_a_trial_that_pauses_at_each_rung_makes_the_steps_of_one_that_does_not(
    applied: dict[str, Any], tmp_path: Path, kind: str, peak: float | None
) -> None:
    sections, shape = SHAPES[kind]
    whole = read_config(config(sections, {"lr": LR}))
    rungs, steps, results = (6, 14), EPOCHS * BATCHES, []
    for known in ((), (6,), (6, 14)):
        job = TrialJob(whole, Candidate(peak=peak), tmp_path / "cut", rungs, steps, known)
        results.append(run_trial(job, Waits()))
    assert [result.paused for result in results] == [True, True, False]
    at_once = TrialJob(whole, Candidate(peak=peak), tmp_path / "whole", (), steps)
    result = run_trial(at_once, Waits())
    assert applied["cut"] == applied["whole"]
    assert results[-1].value == result.value
    assert {one.own_peak for one in (*results, result)} == {0.25}
    if peak is not None:
        expected = [peak * shape(step) for step in range(steps)]
        assert [*applied["cut"].values()] == pytest.approx(expected, rel=1e-9)


def test_the_peak_of_an_own_schedule_is_searched_inside_a_trial(
    applied: dict[str, Any], tmp_path: Path
) -> None:
    (trial,) = tune(config(SECTIONS, {"lr": "online"})).trials
    assert trial.state == "COMPLETE"
    assert trial.attrs["own_peak"] == 0.25
    found = trial.attrs["found"]
    assert found["schedule"] == {"kind": "constant"}
    best = yaml.safe_load((tmp_path / "autolr_runs/autolr/best.yaml").read_text())
    arguments = best["trainer"]["callbacks"][0]["init_args"]
    assert arguments == {"peak": found["peak"], "schedule": {"kind": "constant"}, "own_peak": 0.25}


def test_a_space_that_shapes_schedules_too_is_refused_with_what_to_leave_out(
    applied: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError) as error:
        tune(config(SECTIONS, {"lr": LR, "schedule": ["linear"], "warmup": 0.1}))
    line = str(error.value)
    assert line.startswith("tune.space has schedule, warmup, and the module's ExponentialLR")
    assert "leave out schedule, warmup to search the peak" in line
    assert "\n" not in line


def test_a_module_without_a_scheduler_follows_the_customary_schedule_as_before(
    applied: dict[str, Any], tmp_path: Path
) -> None:
    sections = {**SECTIONS, "lr_scheduler": None}
    (trial,) = tune(config(sections, {"lr": LR})).trials
    steps = EPOCHS * BATCHES
    assert applied["trial_0"][steps // 2] == pytest.approx(trial.params["lr"] / 2, rel=0.1)
    assert "own_peak" not in trial.attrs
    assert "own_peak" not in (tmp_path / "autolr_runs/autolr/best.yaml").read_text()


def logged(sections: dict[str, Any], space: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Train one trial; return the hyper-parameters that its logger has of the study."""
    given = config(sections, space, **settings)
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "log"}}
    (trial,) = tune({**given, "trainer": {**given["trainer"], "logger": logger}}).trials
    values = yaml.safe_load(Path("log/lightning_logs/version_0/hparams.yaml").read_text())
    assert values["autolr/trial"] == trial.number
    return {name: values[f"autolr/{name}"] for name in ("lr", "schedule")}


def test_loggers_have_the_shape_and_the_peak_of_a_trial(applied: dict[str, Any]) -> None:
    given = {"lr": 0.01, "schedule": "linear"}
    assert logged(UNSCHEDULED, given) == {"lr": 0.01, "schedule": "linear()"}


def test_loggers_are_told_that_the_shape_is_the_modules_own(applied: dict[str, Any]) -> None:
    assert logged(SECTIONS, {"lr": 0.01}) == {"lr": 0.01, "schedule": "the module's own"}


def test_loggers_are_told_what_a_search_chooses(applied: dict[str, Any]) -> None:
    space = {"lr": LR, "schedule": ["linear", "wsd"], "cooldown": 0.2}
    space["cooldown"] = {"choices": [0.2], "when": {"schedule": "wsd"}}
    expected = {"lr": "online", "schedule": "online"}
    assert logged(UNSCHEDULED, space, online=True) == expected


def test_the_short_name_of_a_logger_holds_in_each_trial(applied: dict[str, Any]) -> None:
    given = config(UNSCHEDULED, {"lr": LR}, online=True)
    given["trainer"]["logger"] = {"class_path": "CSVLogger", "init_args": {"save_dir": "log"}}
    given["tune"]["trials"] = 2
    assert [trial.state for trial in tune(given).trials] == ["COMPLETE", "COMPLETE"]
