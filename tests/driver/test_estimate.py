"""What a dry run expects of a study, and what the study then takes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import autolr
from autolr.cli import main
from autolr.driver import Event, RungReached, StudyEstimated
from autolr.study import Estimate, Hyperband
from autolr.study.simulation import StudyPlan, simulated

_STEPS = 90
_OBJECTIVE = '''
from autolr.job import Decision, TrialResult


class Ranked:
    """Scores a trial by its peak alone: lower is better at each rung."""

    def check(self, config, folder):
        from autolr.objective import Checkup

        return Checkup(90)

    def run(self, job, judge, leave):
        peak, step = job.candidate.peak, max(job.known, default=0)
        for step in (rung for rung in job.rungs if rung not in job.known):
            if judge.judge(step, peak) is not Decision.CONTINUE:
                return TrialResult(peak, {}, step, 90, peak=peak, paused=True)
        return TrialResult(peak, {}, 90, 90, peak=peak)
'''
_MODEL = """
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader


class Wide(LightningModule):
    def __init__(self, width: int = 700):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(500, width), torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 1)
        )

    def training_step(self, batch):
        return (self.net(batch) - batch[:, :1]).square().mean()

    def validation_step(self, batch):
        self.log("val_loss", (self.net(batch) - batch[:, :1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.001)

    def train_dataloader(self):
        return DataLoader(torch.ones(180, 500), 2)

    def val_dataloader(self):
        return DataLoader(torch.ones(2, 500), 2)
"""


@pytest.fixture
def ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "ranked.py").write_text(_OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    space = {"lr": {"low": 0.001, "high": 1.0, "log": True}}
    tune = {"space": space, "trials": 30, "sampler": "random"}
    return {"objective": "ranked.Ranked", "tune": tune}


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "wide.py").write_text(_MODEL)
    monkeypatch.chdir(tmp_path)
    tune = {"space": {"lr": [0.001, 0.1], "schedule": "linear"}, "trials": 9}
    trainer = {"max_epochs": 1, "accelerator": "cpu"}
    return {"trainer": trainer, "model": {"class_path": "wide.Wide"}, "tune": tune}


def estimate_of(config: dict[str, Any], **settings: Any) -> Estimate:
    heard: list[Event] = []
    autolr.tune(config, dry_run=True, listener=heard.append, **settings)
    (estimate,) = (event.estimate for event in heard if isinstance(event, StudyEstimated))
    return estimate


def test_a_study_takes_the_steps_that_were_expected(ranked: dict[str, Any]) -> None:
    estimate = estimate_of(ranked)
    assert not Path("autolr.db").exists()
    trials = autolr.tune(ranked, out="out").trials
    steps = sum(trial.attrs["steps"] for trial in trials)
    assert estimate.price.steps == pytest.approx(steps, rel=0.15)  # for any order of trials
    peaks = [trial.params["lr"] for trial in trials]
    plan = StudyPlan(30, _STEPS, Hyperband(10, _STEPS))
    assert simulated(plan, lambda number, rung: peaks[number]).steps == steps  # for this one


def test_the_settings_of_a_function_are_no_matter() -> None:
    heard: list[Event] = []
    space = {"lr": [0.1], "curvature": [0.5, 1.0]}
    settings: dict[str, Any] = {"max_steps": 9, "trials": 4, "pruner": "none", "mode": "min"}
    autolr.tune(lambda trial: 1.0, space, dry_run=True, listener=heard.append, **settings)
    (estimate,) = (event.estimate for event in heard if isinstance(event, StudyEstimated))
    assert estimate.price.steps == 4 * 9


@pytest.mark.parametrize(
    ("settings", "steps"),
    [({"pruner": "none"}, 30 * _STEPS), ({"trials": 1}, _STEPS)],  # the first one is promoted
)
def test_where_nothing_is_pruned_all_trials_are_whole_runs(
    ranked: dict[str, Any], settings: dict[str, Any], steps: int
) -> None:
    estimate = estimate_of(ranked, **settings)
    assert (estimate.price.steps, estimate.memory, estimate.trial_bytes) == (steps, None, None)
    assert estimate.price.checkpoints == (0 if "pruner" in settings else 1)


def test_workers_that_share_devices_are_counted(
    ranked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", "0,1")
    estimate = estimate_of(ranked, workers="auto", trials_per_gpu=2)
    assert (estimate.workers, estimate.sharing) == (4, 2)
    few = estimate_of(ranked, workers="auto", trials_per_gpu=2, trials=3)
    assert (few.workers, few.sharing) == (3, 2)


def test_a_checkpoint_of_a_trial_is_as_large_as_was_expected(wide: dict[str, Any]) -> None:
    estimate = estimate_of(wide)
    assert estimate.run_steps == _STEPS
    assert estimate.memory is not None
    sizes: list[int] = []

    def measure(event: Event) -> None:
        if isinstance(event, RungReached):
            file = Path(f"autolr_runs/autolr/trial_{event.number}/rung.ckpt")
            sizes.append(file.stat().st_size)

    autolr.tune(wide, trials=1, listener=measure)
    assert sizes
    assert estimate.memory.checkpoint == pytest.approx(sizes[0], rel=0.03)
    assert (estimate.memory.rivals, estimate.rival_steps) == (0, 0)
    assert estimate.averages


@pytest.mark.slow
def test_trials_that_search_their_peak_have_rivals(wide: dict[str, Any]) -> None:
    wide["trainer"]["max_epochs"] = 5
    wide["model"]["init_args"] = {"width": 8}
    wide["tune"] |= {"space": {"schedule": ["linear", "wsd"]}, "pruner": "none"}
    estimate = estimate_of(wide)
    assert estimate.memory is not None
    assert estimate.memory.rivals == 4  # of the five peaks that race
    trained = autolr.tune(wide, trials=1)
    steps = trained.trials[0].attrs["steps"] - 5 * _STEPS
    assert 0 < steps <= estimate.rival_steps / 9


def test_the_rule_with_the_largest_state_counts(wide: dict[str, Any]) -> None:
    own = estimate_of(wide).memory
    wide["tune"]["space"] |= {"rule": ["adamod", "dowg"]}
    largest = estimate_of(wide).memory
    assert own is not None
    assert own.optimizer is not None
    assert largest is not None
    assert largest.optimizer == pytest.approx(1.5 * own.optimizer, rel=0.001)  # three moments


def test_the_command_says_it_in_lines_that_fit(
    wide: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    wide["tune"]["space"] |= {"model.init_args.width": [100, 700]}
    Path("c.yaml").write_text(yaml.safe_dump(wide))
    assert main(["tune", "c.yaml", "--dry-run", "--workers", "2"]) == 0
    out = capsys.readouterr().out
    _, _, said = out.partition("expected for the whole study, 9 trials:\n")
    assert all(len(line) <= 80 for line in said.splitlines())
    for part in ("steps", "copies", "memory", "disk"):
        assert f"\n  {part} " in f"\n{said}"
    assert "2 trials at a time" in said
    assert "trials differ in model.init_args.width" in " ".join(said.split())
