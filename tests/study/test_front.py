"""What several objectives leave to choose from, and studies that have them."""

import math
import warnings

import numpy as np
import optuna
import pytest

from autolr.errors import StorageError, StudyMismatchError
from autolr.study import Resume, next_action, open_study, peek
from autolr.study.ranking import pareto_front


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_every_point_that_no_other_one_beats(seed: int) -> None:
    draw = np.random.default_rng(seed)
    points = [(float(a), float(b)) for a, b in draw.integers(0, 6, (12, 2))]
    unbeaten = {
        i
        for i, one in enumerate(points)
        if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in points)
    }
    result = pareto_front(points)
    assert set(result) == unbeaten
    assert [points[i] for i in result] == sorted(points[i] for i in result)


def test_there_is_no_front_of_nothing() -> None:
    assert pareto_front([]) == ()


@pytest.mark.parametrize("sampler", ["tpe", "random", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_study_of_score_and_cost_continues_and_leaves_its_front(url: str, sampler: str) -> None:
    for _ in range(2):
        handle = open_study(url, "two", direction="maximize", cost="steps", sampler=sampler, seed=1)
        for number in range(7):
            trial = handle.ask()
            steps = trial.suggest_int("steps", 1, 100)
            score = math.nan if number == 3 else steps if steps % 2 else 0.0  # nan: it diverged
            handle.complete(trial, score, {"steps": steps})
        handle.close()
    summary = peek(url, "two")
    assert summary is not None
    assert (summary.direction, summary.finished) == ("maximize", 14)
    odd = {t.params["steps"] for t in summary.trials if t.params["steps"] % 2 and t.value}
    assert {trial.params["steps"] for trial in summary.front} >= odd
    assert {"COMPLETE"} == {trial.state for trial in summary.front}
    assert summary.best(99) == summary.front == handle.best(99)
    assert summary.front[0].value == max(trial.value or 0.0 for trial in summary.trials)


def test_a_study_keeps_its_objectives(url: str) -> None:
    open_study(url, "one").close()
    line = "made with direction = 'minimize', now it is 'minimize and minimize'"
    with pytest.raises(StudyMismatchError, match=line.replace("'", "'?")):
        open_study(url, "one", cost="steps")


def test_a_foreign_study_of_other_objectives_is_one_line(url: str) -> None:
    open_study(url, "ours").close()
    optuna.create_study(storage=url, study_name="theirs", directions=["minimize", "maximize"])
    with pytest.raises(StorageError, match="'theirs' has other objectives than score and cost"):
        peek(url, "theirs")


def test_a_cut_trial_of_two_objectives_continues_with_its_parameters(url: str) -> None:
    handle = open_study(url, "two", cost="steps")
    drawn = handle.ask().suggest_float("lr", 0.0, 1.0)
    handle.close()
    handle = open_study(url, "two", cost="steps")
    assert handle.recover() == (0,)
    assert next_action(handle.statuses(), 1, None) == Resume(0, promoted=False)
    trial = handle.resume(0)
    assert trial.suggest_float("lr", 0.0, 1.0) == drawn
    assert handle.complete(trial, 0.5, {"steps": 48}).cost == 48.0


def test_optuna_names_the_objectives_as_we_do_unless_they_had_names_before(url: str) -> None:
    handle = open_study(url, "two", cost="steps")
    stored = optuna.load_study(study_name="two", storage=url)
    assert stored.metric_names is None  # as in a study of an earlier release
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        handle.name_values("val_loss", "steps")
    assert stored.metric_names == ["val_loss", "steps"]
    handle.complete(handle.ask(), 0.5, {"steps": 48})
    assert stored.trials_dataframe()[["values_val_loss", "values_steps"]].to_numpy().tolist() == [
        [0.5, 48.0]
    ]
    handle.name_values("val_acc", "seconds")
    assert stored.metric_names == ["val_loss", "steps"]
