"""A study whose first trial searches its own peak, end to end."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import autolr
from autolr import schedules
from autolr.candidate import Candidate
from autolr.config import read_config
from autolr.console import conclusion
from autolr.driver import Event, Noted, RungReached, TrialStarted, TuneResult
from autolr.driver.first_trial import found_line
from autolr.errors import StudyMismatchError
from autolr.objective import fit
from autolr.online.annealed import default_schedule
from autolr.study import AVERAGED, DISCARDED, SEARCHED, SEARCHES, TrialRecord

MODEL = """\
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset


class Bowl(LightningModule):  # the best peak is about 0.1
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(4))
        self.register_buffer("curvature", torch.tensor([0.1, 1.0, 3.0, 10.0]))

    def loss(self, noise):
        return (self.curvature * (self.w - noise.mean(0)) ** 2).sum()

    def training_step(self, batch):
        return self.loss(batch[0])

    def validation_step(self, batch):
        self.log("val_loss", self.loss(batch[0] * 0) + 0.01)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Noise(LightningDataModule):
    def train_dataloader(self):
        noise = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
        return DataLoader(TensorDataset(noise), 1)

    def val_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(2, 4)), 2)
"""
LR = {"low": 1e-4, "high": 1.0, "log": True}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    torch.set_num_threads(1)
    (tmp_path / "bowl_with_noise.py").write_text(MODEL)
    monkeypatch.delitem(sys.modules, "bowl_with_noise", raising=False)
    monkeypatch.chdir(tmp_path)
    return {
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "logger": False},
        "model": {"class_path": "bowl_with_noise.Bowl"},
        "data": {"class_path": "bowl_with_noise.Noise"},
        "tune": {"space": {"lr": LR, "schedule": ["linear", "wsd"], "cooldown": 0.2}, "trials": 3},
    }


@pytest.fixture(autouse=True)
def space(config: dict[str, Any]) -> None:
    config["tune"]["space"]["cooldown"] = {"choices": [0.2], "when": {"schedule": "wsd"}}


def study(config: dict[str, Any], **settings: Any) -> tuple[TuneResult, list[Event]]:
    heard: list[Event] = []
    return autolr.tune(config, listener=heard.append, **settings), heard


def drawn(trials: tuple[TrialRecord, ...]) -> list[Any]:
    return [(trial.params, trial.value, trial.attrs.get("found")) for trial in trials]


def test_the_first_trial_searches_and_the_next_is_drawn_around_what_it_found(
    config: dict[str, Any],
) -> None:
    result, heard = study(config)
    first, second, _ = result.trials
    assert first.attrs[SEARCHES] == ["lr", "schedule"]
    assert first.attrs[SEARCHED]
    assert first.params == {}
    assert first.attrs["steps"] > first.attrs["run_steps"] == 300  # with the steps of rivals
    found = Candidate.from_dict({**first.attrs["found"]})
    assert found.peak is not None
    assert 1e-4 <= found.peak <= 1.0
    middle = 0.5 * found.peak * found.schedule.at(150, 300)
    assert second.params["lr"] == pytest.approx(middle)
    assert second.params["schedule"] == "wsd"
    started = next(event for event in heard if isinstance(event, TrialStarted))
    assert (started.params, started.bracket) == ({"lr": "online", "schedule": "online"}, None)
    (said,) = [event.line for event in heard if isinstance(event, Noted)]
    rate = found.peak * found.schedule.at(150, 300)
    assert found_line(first) == said.removeprefix("trial 0: ")
    assert f"found a peak of {found.peak:.3g}" in said
    assert (f"a rate of {rate:.3g} by the middle" in said) == (rate != found.peak)
    around = f"at about half of that, so the next trials are drawn around {middle:.3g}"
    assert said.endswith(f"{around}, each at the peak of its profile")


def test_with_a_prior_the_search_begins_around_it(config: dict[str, Any]) -> None:
    config["trainer"]["limit_train_batches"] = 120
    known = {"lr": 0.0123, "schedule": "linear"}
    study(config, study="earlier", trials=1, online=False, start=[known])
    result, _ = study(config, study="later", trials=1, prior="earlier")
    found = result.trials[0].attrs["found"]["peak"]
    whole = schedules.transfer(0.0123, schedules.linear(), 120, schedules.parse("wsd"))
    doublings = math.log2(found / (whole / 0.5))  # a search settles on twice that of whole runs
    assert doublings == pytest.approx(round(doublings))


@pytest.mark.slow
@pytest.mark.parametrize(("known", "raced"), [(1e-4, False), (0.0123, True)])
def test_where_every_trial_searches_each_begins_around_the_prior_or_says_why_not(
    config: dict[str, Any], known: float, raced: bool
) -> None:
    point = {"lr": known, "schedule": "linear"}
    study(config, study="earlier", trials=1, online=False, start=[point])
    config["tune"]["space"] = {"lr": "online", "schedule": ["linear"]}
    result, heard = study(config, study="later", trials=1, prior="earlier")
    said = [event.line for event in heard if isinstance(event, Noted)]
    assert [line.startswith("trial 0: the prior, a peak of ") for line in said] == [True] * (
        not raced
    )
    whole = schedules.transfer(known, schedules.linear(), 300, schedules.parse("wsd"))
    near = schedules.transfer(whole / 0.5, default_schedule(()), 300, schedules.linear())
    doublings = math.log2(result.trials[0].attrs["found"]["peak"] / near)
    assert (doublings == pytest.approx(round(doublings))) == raced


@pytest.mark.parametrize(
    ("chosen", "cut", "line"),
    [
        (
            ["lr", "schedule"],
            1.0,
            "a peak of 0.016; whole runs with a plateau do best at about half of that, so the next "
            "trials are drawn around 0.008, each at the peak of its profile",
        ),
        (
            ["lr"],
            0.0625,
            "a peak of 0.016, and a rate of 0.001 by the middle of the run; whole runs of its "
            "shape do best at about 0.9 of that, so the next trials are drawn around 0.000905",
        ),
    ],
)
def test_what_the_next_trials_are_drawn_around_is_explained(
    chosen: list[str], cut: float, line: str
) -> None:
    schedule = schedules.linear() * (schedules.constant().over(30) | schedules.constant() * cut)
    if "schedule" in chosen:
        schedule = schedules.constant() * cut
    found = Candidate(peak=0.016, schedule=schedule).to_dict()
    attrs = {SEARCHES: chosen, SEARCHED: True, "found": found, "run_steps": 300}
    said = found_line(TrialRecord(0, "COMPLETE", 0.1, {}, attrs, {}))
    assert said == f"its search found {line}"


def test_a_run_of_another_length_says_after_how_many_of_its_steps_it_is_judged(
    config: dict[str, Any],
) -> None:
    config["tune"]["space"] = {"lr": [0.01], "trainer.limit_train_batches": [300, 30]}
    config["trainer"]["limit_train_batches"] = 300
    start = [{"trainer.limit_train_batches": batches} for batches in (300, 30)]
    _, heard = study(config, trials=2, pruner={"name": "hyperband", "min_steps": 33}, start=start)
    assert [event.line for event in heard if isinstance(event, Noted)] == [
        "trial 1: its run has 30 steps, where the config has 300: it is judged after 10 in place "
        "of 100"
    ]


def test_a_run_that_is_too_short_to_search_has_found_no_peak(config: dict[str, Any]) -> None:
    config["trainer"]["limit_train_batches"] = 30
    result, heard = study(config, trials=1)
    (trial,) = result.trials
    assert (trial.attrs["steps"], SEARCHED in trial.attrs) == (30, False)
    kept = "its search has compared no peaks, and its run kept 0.01"
    evenly = f"{kept}: the range is drawn from as if there had been no search"
    assert [event.line for event in heard if isinstance(event, Noted)] == [f"trial 0: {evenly}"]
    assert found_line(trial) == evenly
    assert (
        found_line(trial, {"fixed": 0.1}) == f"{kept}: the next trials are drawn around the prior"
    )


@pytest.mark.slow
@pytest.mark.parametrize("averaged", [False, True])
def test_best_yaml_trains_what_the_search_has_found(
    config: dict[str, Any], tmp_path: Path, averaged: bool
) -> None:
    scale = 0.1 if averaged else 0.01  # so that it never goes back
    if averaged:
        config["tune"]["space"] = {"lr": LR, "schedule": "constant"}  # so that the end is all noise
    model = MODEL.replace("torch.randn(", f"{scale} * torch.randn(")
    (tmp_path / "bowl_with_noise.py").write_text(model)
    result, _ = study(config, trials=1)
    assert DISCARDED not in result.trials[0].attrs
    assert (AVERAGED in result.trials[0].attrs) == averaged
    best = yaml.safe_load(Path("autolr_runs/autolr/best.yaml").read_text())
    best["trainer"]["callbacks"].append({"class_path": "bowl_with_noise.Final"})
    (tmp_path / "bowl_with_noise.py").write_text(model + FINAL)
    sys.modules.pop("bowl_with_noise", None)
    fit(read_config(best), tmp_path / "out")
    final = float(Path("final.txt").read_text())
    assert final == pytest.approx(result.best[0].value, rel=1e-5)


@pytest.mark.slow
def test_best_yaml_says_where_the_search_went_back(config: dict[str, Any]) -> None:
    result, _ = study(config, trials=1)
    steps = result.trials[0].attrs[DISCARDED]
    assert steps > 0
    said = f"rial 0: its search rolled it back, by {steps} steps: a run from scratch may end worse"
    assert f"# T{said}" in Path("autolr_runs/autolr/best.yaml").read_text()
    assert any(f"t{said}" in str(line) for line in conclusion(result))


FINAL = """

from lightning.pytorch import Callback


class Final(Callback):
    def on_train_end(self, trainer, module):
        with open("final.txt", "w") as file:
            file.write(str(module.loss(torch.zeros(2, 4)).item() + 0.01))
"""


class _Killed(BaseException):
    """Stands for a kill at a rung."""


@pytest.mark.slow
def test_a_first_trial_that_is_cut_is_run_again_and_finds_the_same(config: dict[str, Any]) -> None:
    whole, _ = study(config, study="whole")

    def kill(event: Event) -> None:
        if isinstance(event, RungReached):
            raise _Killed

    with pytest.raises(_Killed):
        autolr.tune(config, study="cut", listener=kill)
    again, _ = study(config, study="cut")
    assert drawn(again.trials) == drawn(whole.trials)


@pytest.mark.slow
def test_without_it_the_first_trial_is_drawn_and_a_study_says_how_it_was_begun(
    config: dict[str, Any],
) -> None:
    result, _ = study(config, online=False, trials=1)
    assert result.trials[0].params["lr"] > 0
    assert SEARCHES not in result.trials[0].attrs
    with pytest.raises(StudyMismatchError, match="online = False, now it is not set"):
        study(config, trials=2)


@pytest.mark.slow
def test_the_first_trial_is_never_paused(config: dict[str, Any]) -> None:
    config["tune"]["pruner"] = {"name": "hyperband", "min_steps": 11}
    result, heard = study(config, trials=4)
    rungs = [event for event in heard if isinstance(event, RungReached) and event.number == 0]
    assert [event.step for event in rungs] == [11, 33, 100]
    assert all(event.continues for event in rungs)
    assert result.trials[0].state == "COMPLETE"
