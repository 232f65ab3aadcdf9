"""A stranger's sampler: a study searches with it."""

from pathlib import Path

import optuna
import pytest

import autolr
from examples.extending.near_best_sampler import NearBestSampler

CONFIG = Path(__file__).parents[3] / "examples/extending/objective.yaml"
SAMPLER = {"class_path": "near_best_sampler.NearBestSampler", "init_args": {"window": 0.1}}


@pytest.mark.slow
def test_a_study_searches_near_its_best_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = autolr.tune(CONFIG, sampler=SAMPLER, trials=8)
    assert result.finished == 8
    (stored,) = optuna.get_all_study_summaries("sqlite:///autolr.db")
    assert stored.user_attrs["fingerprint"]["sampler"] == SAMPLER


def test_it_draws_within_its_window_of_the_best_value_and_within_the_range() -> None:
    study = optuna.create_study(sampler=NearBestSampler(window=0.1, seed=0))
    study.optimize(lambda trial: abs(trial.suggest_float("x", 0.0, 1.0) - 0.5), n_trials=40)
    xs = [trial.params["x"] for trial in study.trials]
    assert all(0 <= x <= 1 for x in xs)
    assert max(abs(x - study.best_params["x"]) for x in xs[30:]) < 0.1


def test_a_window_that_cannot_work_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = {**SAMPLER, "init_args": {"window": 2}}
    with pytest.raises(autolr.ConfigError, match=r"^tune.sampler .*\(0, 1\], got 2"):
        autolr.tune(CONFIG, sampler=wrong)
    assert not Path("autolr.db").exists()
