"""A study whose space grows, and choices that are lists: what the user sees, and what is stored."""

import csv
import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from autolr import Trial, tune
from autolr.cli import main
from autolr.driver import Noted, TuneResult
from autolr.errors import ConfigError, StudyMismatchError
from autolr.space import parse_space
from autolr.study.widening import widen
from tests.cases import with_slow

OBJECTIVE = {"class_path": "autolr.testing.counting.CountingObjective", "init_args": {"steps": 2}}
LR = {"low": 0.01, "high": 0.1, "log": True}
WIDTHS = [[64, 64], [128], {"hidden": 32}]
NO_RUNGS = {"pruner": "none", "sampler": "random"}
STORAGE = "sqlite:///autolr.db"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(space: dict[str, Any], trials: int, **settings: Any) -> TuneResult:
    section = {"space": space, "trials": trials, **NO_RUNGS, **settings}
    return tune({"objective": OBJECTIVE, "tune": section})


def stored() -> optuna.Study:
    return optuna.load_study(study_name="autolr", storage=STORAGE)


def batches(result: TuneResult) -> set[Any]:
    return {trial.params["data.batch_size"] for trial in result.trials}


def space(batch_sizes: list[Any], high: float = 0.1) -> dict[str, Any]:
    return {"lr": {**LR, "high": high}, "data.batch_size": batch_sizes}


@pytest.mark.parametrize("sampler", with_slow(["tpe", "random", "cmaes", "gp"], "tpe", "cmaes"))
def test_what_was_added_is_drawn_and_earlier_trials_keep_their_values(sampler: str) -> None:
    before = run(space([16, 32]), 10, sampler=sampler)
    after = run(space([64, 32, 16, 8], high=100.0), 20, sampler=sampler)
    for trials in (after.trials, stored().trials):
        assert [t.params for t in trials[:10]] == [t.params for t in before.trials]
    assert batches(after) - {16, 32}
    assert any(trial.params["lr"] > 0.1 for trial in after.trials)
    kinds = {str(trial.distributions) for trial in stored().trials}
    assert len(kinds) == 1  # so that samplers, charts and importances know all trials
    (step,) = stored().user_attrs["widened"]
    assert step["trials"] == 10
    assert step["from"]["data.batch_size"] == {"choices": [16, 32]}
    assert step["from"]["lr"]["high"] == 0.1


def test_a_study_that_did_not_grow_is_stored_as_before_and_repeats() -> None:
    whole = run(space([16, 32]), 5, study="whole", sampler="tpe")
    run(space([16, 32]), 3, sampler="tpe")
    halves = run(space([32, 16]), 5, sampler="tpe")
    assert [t.params for t in halves.trials] == [t.params for t in whole.trials]
    assert "widened" not in stored().user_attrs


@pytest.mark.slow
def test_a_process_that_died_while_the_space_grew_leaves_a_study_that_goes_on() -> None:
    run(space([16, 32]), 3)
    study = stored()
    names = ("lr", "data.batch_size")
    widen(study, study.trials, parse_space(space([16, 32, 64], high=1.0)), names)
    with pytest.raises(StudyMismatchError, match="32"):
        run(space([16, 64]), 12)
    assert batches(run(space([16, 32, 64], high=1.0), 12)) == {16, 32, 64}


@pytest.mark.slow
def test_another_study_of_the_storage_is_left_alone() -> None:
    run(space([16, 32]), 3, study="other")
    run(space([16, 32]), 3)
    run(space([16, 32, 64]), 4)
    other = optuna.load_study(study_name="other", storage=STORAGE)
    choices = optuna.distributions.CategoricalDistribution((16, 32))
    assert [trial.distributions["data.batch_size"] for trial in other.trials] == [choices] * 3


@pytest.mark.parametrize(
    ("smaller", "named"),
    [
        (
            space([16]),
            "the choice 32 of data.batch_size is gone (a space may only grow); use --study",
        ),
        pytest.param(
            space([64, 32, 8]),
            "the choice 16 of data.batch_size is gone",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            space([16, 32], high=0.05),
            "lr was from 0.01 to 0.1 and is from 0.01 to 0.05",
            marks=pytest.mark.slow,
        ),
        ({"lr": LR}, "was made with the parameter data.batch_size (a study can get more choices"),
        (
            {**space([16, 32]), "model.width": [8, 16]},
            "was made without the parameter model.width (a study can get more choices and wider",
        ),
    ],
)
def test_a_space_that_lost_values_or_has_other_parameters_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], smaller: dict[str, Any], named: str
) -> None:
    run(space([16, 32]), 3)
    file = folder / "tune.yaml"
    file.write_text(
        yaml.safe_dump({"objective": OBJECTIVE, "tune": {"space": smaller, **NO_RUNGS}})
    )
    assert main(["tune", str(file)]) == 4
    error = capsys.readouterr().err.strip()
    assert named in error
    assert "\n" not in error


def test_a_monitor_that_no_trial_has_logged_is_named_as_such() -> None:
    def score(trial: Trial) -> float:
        return 1.0

    tune(score, {"lr": LR}, trials=1, monitor="val_loss")
    with pytest.raises(ConfigError, match="'val_los'; did you mean 'val_loss'"):
        tune(score, {"lr": LR}, trials=2, monitor="val_los")


def test_a_result_as_text_is_one_line_with_the_best_trial() -> None:
    result = run(space([16, 32]), 3, study="short")
    best = result.best[0]
    assert str(result) == (
        f"study 'short': 3 of 3 trials finished; best: trial {best.number}, val_loss "
        f"{best.value:.4g}, lr={best.params['lr']:.4g} batch_size={best.params['data.batch_size']}"
        "; results in autolr_runs/short"
    )


def test_growth_is_said_once_and_grows_again() -> None:
    lines: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, Noted):
            lines.append(event.line)

    for trials, sizes in ((2, [16]), (3, [16, 32]), (4, [16, 32]), (5, [16, 32, 64])):
        section = {"space": space(sizes), "trials": trials, **NO_RUNGS}
        tune({"objective": OBJECTIVE, "tune": section}, listener=listen)
    assert lines == ["the space grew: data.batch_size"] * 2
    assert [step["trials"] for step in stored().user_attrs["widened"]] == [2, 4]


def test_lists_and_mappings_are_choices_whose_json_is_stored(folder: Path) -> None:
    result = run({"lr": LR, "model.widths": WIDTHS}, 8)
    texts = [json.dumps(width) for width in WIDTHS]
    assert {trial.params["model.widths"] for trial in stored().trials} == set(texts)
    settings = [trial.attrs["found"]["settings"]["model.widths"] for trial in result.trials]
    assert settings == [trial.params["model.widths"] for trial in result.trials]
    best = yaml.safe_load((folder / "autolr_runs/autolr/best.yaml").read_text())
    assert best["model"]["widths"] in WIDTHS
    with (folder / "autolr_runs/autolr/trials.csv").open() as file:
        assert {row["model.widths"] for row in csv.DictReader(file)} == set(texts)
    assert main(["report", "autolr"]) == 0
    chart = (folder / "autolr_runs/autolr/figures/parameter_model.widths.svg").read_text()
    assert chart.index(">[64, 64]<") < chart.index(">[128]<")  # in the order of the space


def test_a_study_over_lists_goes_on_and_grows() -> None:
    run({"lr": LR, "model.widths": WIDTHS}, 3)
    more = [[8], *WIDTHS[::-1]]
    result = run({"lr": LR, "model.widths": more}, 8)
    drawn = [trial.params["model.widths"] for trial in result.trials]
    assert [8] in drawn
    assert all(widths in more for widths in drawn)


def test_a_parameter_may_depend_on_a_list() -> None:
    result = run(
        {
            "lr": LR,
            "model.widths": WIDTHS,
            "model.dropout": {"low": 0.1, "high": 0.5, "when": {"model.widths": [[64, 64]]}},
        },
        8,
    )
    for trial in result.trials:
        deep = trial.params["model.widths"] == [64, 64]
        assert ("model.dropout" in trial.params) == deep


@pytest.mark.slow
def test_lists_reach_a_worker() -> None:
    result = run({"lr": LR, "model.widths": WIDTHS}, 3, workers=2)
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 3
