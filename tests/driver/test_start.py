"""Points that the user wants to try first: `tune.start`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import tune
from autolr.cli import main

COUNTING = "autolr.testing.counting.CountingObjective"
SPACE = {"lr": {"low": 0.001, "high": 1.0, "log": True}, "objective.init_args.steps": [6, 12]}
FIRST = [{"lr": "1e-2", "objective.init_args.steps": 12}, {"lr": 0.5}]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(**settings: Any) -> dict[str, Any]:
    section = {"space": SPACE, "trials": 4, "start": FIRST, **settings}
    return {"objective": {"class_path": COUNTING}, "tune": section}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampler": "random"},
        {"sampler": "QMCSampler"},
        pytest.param({"workers": 2}, marks=pytest.mark.slow),
    ],
)
def test_the_first_trials_have_them_and_the_sampler_chooses_the_rest(
    settings: dict[str, Any],
) -> None:
    result = tune(config(**settings))
    first, second, *others = [trial.params for trial in result.trials]
    assert first == {"lr": 0.01, "objective.init_args.steps": 12}
    assert second["lr"] == 0.5
    assert not {0.01, 0.5} & {params["lr"] for params in others}


def test_each_is_tried_once_however_often_the_study_is_resumed_and_new_ones_come_next() -> None:
    tune(config(), trials=1)
    tune(config(), trials=3)
    result = tune(config(start=[*FIRST, {"lr": 0.25}]), trials=5)
    rates = [trial.params["lr"] for trial in result.trials]
    assert (rates[:2], rates[3]) == ([0.01, 0.5], 0.25)
    assert len(set(rates)) == 5


def test_they_can_be_given_from_python_and_are_checked_with_the_space_given_there() -> None:
    given = tune(config(start=()), space={"lr": [0.3, 0.7]}, start=[{"lr": 0.7}], trials=1)
    assert given.trials[0].params == {"lr": 0.7}


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ({"lr": 0.1}, "tune.start must be a list of points, got {'lr': 0.1}"),
        ([{"lr": 2}], "tune.start.0: lr must be within [0.001, 1], got 2"),
        ([{"rate": 2}], "tune.start.0: unknown parameter 'rate'"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_a_point_outside_the_space_is_refused_before_anything_is_stored(
    start: Any, line: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("tune.yaml").write_text(yaml.safe_dump(config(start=start)))
    assert main(["tune", "tune.yaml", *flags]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error
    assert not Path("autolr.db").exists()


def test_a_point_may_name_a_choice_that_is_a_list_and_none_is_trained_twice() -> None:
    space = {"lr": [0.5], "widths": [[64, 64], [128]]}
    start = [{"widths": [128]}]
    result = tune(
        lambda trial: float(sum(trial.settings.widths)),
        space,
        max_steps=1,
        trials=9,
        start=start,
        mode="min",
    )
    assert [trial.value for trial in result.trials] == [128.0, 128.0]
    assert [trial.params["widths"] for trial in result.trials] == [[128], [64, 64]]
    assert result.complete
