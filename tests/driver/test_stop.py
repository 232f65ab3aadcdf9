"""A study that ends since nothing improves it: `tune.stop`."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import Trial, tune
from autolr.cli import main

COUNTING = "autolr.testing.counting.CountingObjective"  # each trial of 6 steps scores 1/6


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(**settings: Any) -> str:
    space = {"lr": {"low": 0.1, "high": 1.0}}
    section = {"space": space, "trials": 9, "pruner": "none", **settings}
    config = {"objective": {"class_path": COUNTING}, "tune": section}
    Path("tune.yaml").write_text(yaml.safe_dump(config))
    return "tune.yaml"


def test_a_study_that_does_not_improve_ends_and_goes_on_without_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write(stop={"patience": 3})
    assert main(["tune", file]) == 0
    line = "is complete: 4 of 9 trials finished; the last 3 trials did not improve val_loss"
    assert f"{line}\n" in capsys.readouterr().out
    assert main(["tune", file]) == 0
    assert f"{line}, nothing to train\n" in capsys.readouterr().out
    result = tune(file, stop={"patience": 5, "improvement": 0.1})
    assert (result.trained, result.finished, result.complete) == (2, 6, True)
    assert result.over == "the last 5 trials did not improve val_loss by more than 0.1"
    assert tune(write()).finished == 9


def test_trials_that_wait_at_a_rung_count_and_end_with_the_study() -> None:
    result = tune(write(stop={"patience": 3}, pruner="hyperband"))
    assert (result.complete, result.finished) == (True, len(result.trials))
    assert result.finished < 9


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"stop": 3},
            "tune.stop must be a mapping such as {patience: 20} or {regret: 0.001}, or null, got 3",
        ),
        (
            {"stop": {}},
            "such as {patience: 20} or {regret: 0.001}, or null, got {}",
        ),
        ({"stop": {"improvement": 0.1}}, "tune.stop must be a mapping such as {patience: 20}"),
        ({"stop": {"patience": 0}}, "tune.stop.patience must be a whole number of at least 1"),
        ({"stop": {"pacience": 3}}, "tune.stop: unknown key 'pacience'; did you mean 'patience'?"),
        (
            {"stop": {"patience": 3, "improvement": -1}},
            "tune.stop.improvement must be a number of at least 0, got -1",
        ),
        ({"stop": {"regret": 0}}, "tune.stop.regret must be a number above 0, got 0"),
        (
            {"stop": {"regret": 0.1}, "objective": ["val_loss", "cost"]},
            "tune.stop.regret must be null with two objectives, got 0.1",
        ),
        (
            {"stop": {"patience": 3, "improvement": 0.1}, "objective": ["val_loss", "cost"]},
            "tune.stop.improvement must be 0 with two objectives, got 0.1",
        ),
    ],
)
def test_a_condition_that_cannot_work_is_refused_in_one_line(
    settings: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", write(**settings)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error


def hill(trial: Trial) -> float:
    """Return the distance of a peak to the best one, in decades, and what a choice adds."""
    assert trial.candidate.peak is not None
    extra: float = trial.settings.extra
    return (math.log10(trial.candidate.peak) + 2) ** 2 + extra


def test_a_study_ends_when_no_candidate_is_expected_to_be_better() -> None:
    space = {"lr": {"low": 1e-4, "high": 1.0, "log": True}, "extra": [0.0, 0.5]}
    result = tune(hill, space, mode="min", trials=90, stop={"regret": 0.05})
    assert result.over == "no candidate is expected to improve score by 0.05"
    assert 20 <= result.finished < 90
    assert result.best[0].value is not None
    assert result.best[0].value < 0.05  # 0 is the least of all
    assert tune(hill, space, mode="min", trials=90, stop={"regret": 0.05}).trained == 0
    assert tune(hill, space, mode="min", trials=result.finished + 2).trained == 2
