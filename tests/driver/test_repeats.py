"""No candidate is trained twice: what becomes of a finite space, and of repeated proposals."""

import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from autolr import tune
from autolr.cli import main

COUNTING = "autolr.testing.counting.CountingObjective"
SPACE: dict[str, Any] = {"lr": [0.01, 0.1, 1.0], "objective.init_args.steps": [6, 12]}
ONE_POINT = """\
from optuna.samplers import BaseSampler, RandomSampler

class Stubborn(RandomSampler):
    def sample_independent(self, study, trial, name, distribution):
        return 0.25 if trial.number < 4 else 0.75
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one_point.py").write_text(ONE_POINT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "one_point", raising=False)


def config(space: Any = SPACE, **settings: Any) -> dict[str, Any]:
    section = {"space": space, "trials": 12, "pruner": "none", **settings}
    return {"objective": {"class_path": COUNTING}, "tune": section}


def write(**settings: Any) -> str:
    Path("tune.yaml").write_text(yaml.safe_dump(config(**settings)))
    return "tune.yaml"


def test_a_finite_space_ends_when_each_candidate_was_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write()
    assert main(["tune", file]) == 0
    line = "is complete: 6 of 12 trials finished; all 6 candidates of the space have been trained"
    assert f"{line}\n" in capsys.readouterr().out
    assert main(["tune", file]) == 0
    assert f"{line}, nothing to train\n" in capsys.readouterr().out
    result = tune(file)
    assert (result.complete, result.trained, len(result.trials)) == (True, 0, 6)
    assert len({str(sorted(trial.params.items())) for trial in result.trials}) == 6


@pytest.mark.parametrize("pruner", ["hyperband", {"name": "hyperband", "pause": False}])
def test_trials_that_pause_or_stop_at_a_rung_were_trained(pruner: Any) -> None:
    result = tune(config(pruner=pruner))
    assert (result.complete, result.finished, len(result.trials)) == (True, 6, 6)
    assert {trial.state for trial in result.trials} <= {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_workers_together_train_each_candidate_once() -> None:
    objective = {"class_path": COUNTING, "init_args": {"seconds": 0.01}}
    result = tune({**config(workers=3), "objective": objective})
    assert (result.complete, result.trained, len(result.trials)) == (True, 6, 6)
    assert len({str(sorted(trial.params.items())) for trial in result.trials}) == 6


@pytest.mark.slow
def test_a_study_continued_one_trial_at_a_time_has_the_trials_of_a_whole_one() -> None:
    for trials in range(1, 8):
        parts = tune(config(), trials=trials, study="parts", out="parts")
    whole = tune(config(), study="whole", out="whole")
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]


def test_a_candidate_that_fails_is_tried_in_each_call_and_does_not_keep_the_study_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write(space={"objective.init_args.error": ["", "no data"]})
    line = "1 of 12 trials finished, {} failed; all 2 candidates of the space but 1, which failed,"
    for failed in (1, 2):
        assert main(["tune", file]) == 0
        assert line.format(failed) in capsys.readouterr().out


RANGE = {"lr": {"low": 0.1, "high": 1.0}, "objective.init_args.steps": 6}


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_a_sampler_of_the_users_that_repeats_a_point_gets_its_score_untrained(
    pruner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sampler = "one_point.Stubborn"
    file = write(space=RANGE, trials=6, sampler=sampler, pruner=pruner)
    assert main(["tune", file]) == 0
    output = capsys.readouterr().out
    assert "\ntrial 3 is not trained: it has the candidate of trial 0\n" in output
    result = tune(file)
    assert (result.trained, result.finished) == (0, 6)
    assert [trial.params["lr"] for trial in result.trials] == [0.25] * 4 + [0.75] * 2
    assert [trial.attrs.get("same_as") for trial in result.trials] == [None, 0, 0, 0, None, 4]
    assert [trial.value for trial in result.trials] == [1 / 6] * 6
    assert [trial.attrs["steps"] for trial in result.trials] == [6, 0, 0, 0, 6, 0]
    assert result.best[0].number == 0
    assert not Path("autolr_runs/autolr/trial_1").exists()


def test_a_repeated_point_whose_process_was_killed_is_not_trained_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"space": RANGE, "trials": 2, "sampler": "one_point.Stubborn"}
    told = optuna.Study.tell

    def killed(self: optuna.Study, trial: optuna.Trial, *values: Any) -> Any:
        if trial.number == 1 and self.study_name == "autolr":  # else it is rehearsed
            raise KeyboardInterrupt
        return told(self, trial, *values)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(config(**settings))
    result = tune(config(**settings))
    assert (result.trained, result.finished) == (0, 2)
    assert result.trials[1].attrs["steps"] == 0


def test_the_price_of_a_repeated_point_is_that_of_the_first_trial() -> None:
    settings = {"space": RANGE, "trials": 3, "sampler": "one_point.Stubborn"}
    result = tune(config(**settings, objective=["val_loss", "cost"]))
    assert [(trial.value, trial.cost) for trial in result.trials] == [(1 / 6, 6.0)] * 3
