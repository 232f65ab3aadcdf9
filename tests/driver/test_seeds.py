"""Several runs of each candidate, judged together: `tune.seeds`."""

import json
import math
import re
import signal
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import optuna
import pandas as pd
import pytest
import yaml

from autolr import tune
from autolr.cli import main
from autolr.driver import RungReached, TrialStarted
from autolr.driver.seeds import Run, Runs
from autolr.errors import ConfigError, StudyMismatchError
from autolr.job import TrialResult

NOISY = """\
from dataclasses import replace

from autolr.objective import Checkup
from autolr.testing.counting import CountingObjective


class Judge:
    def __init__(self, judge, shift):
        self.inner, self.shift = judge, shift

    def judge(self, step, score):
        return self.inner.judge(step, score + self.shift)

    def remark(self, line):
        self.inner.remark(line)


class Noisy(CountingObjective):
    '''Its score after n steps is 1 / n + lr * (seed % 5); it writes down what it trains.'''

    def __init__(self, steps: int = 9, seconds: float = 0.0, fails: int = -1, pauses: bool = True):
        super().__init__(steps, seconds)
        self.fails, self.pauses = fails, pauses

    def check(self, config, folder):
        return Checkup(super().check(config, folder).run_steps, (), self.pauses)

    def run(self, job, judge, leave):
        seed = job.config.seed
        if seed == self.fails:
            raise ValueError("no data")
        before = int(job.checkpoint.read_text()) if job.checkpoint.exists() else 0
        shift = job.candidate.peak * (seed % 5)
        result = super().run(job, Judge(judge, shift), leave)
        with open("trained.txt", "a") as file:
            print(job.trial.split()[1], seed, before, result.steps, file=file)
        value = result.value + shift
        return replace(result, value=value, metrics={"val_loss": value})
"""
RATES = [0.05, 0.2, 0.1, 0.3, 0.02]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "noisy", raising=False)


def config(arguments: Any = None, **settings: Any) -> dict[str, Any]:
    start = [{"lr": rate} for rate in RATES]
    section = {"space": {"lr": RATES}, "start": start, "trials": 5, "seeds": 3, **settings}
    objective = {"class_path": "noisy.Noisy", "init_args": arguments or {}}
    return {"seed_everything": 6, "objective": objective, "tune": section}


def trained() -> list[tuple[int, int, int, int]]:
    """Return trial, seed, and the steps before and after each job."""
    lines = Path("trained.txt").read_text().splitlines()
    Path("trained.txt").unlink()
    return [tuple(map(int, line.split())) for line in lines]  # type: ignore[misc]


def test_the_mean_of_the_runs_is_the_score_and_all_their_steps_count() -> None:
    result = tune(config(pruner="none"))
    for trial, rate in zip(result.trials, RATES, strict=True):
        values = [1 / 9 + rate * (seed % 5) for seed in (6, 7, 8)]
        assert trial.value == pytest.approx(fmean(values))
        assert trial.attrs["spread"] == pytest.approx(stdev(values))
        assert [run["value"] for run in trial.attrs["runs"]] == pytest.approx(values)
        assert trial.attrs["metrics"] == {"val_loss": pytest.approx(fmean(values))}
        assert (trial.attrs["steps"], trial.attrs["run_steps"]) == (27, 9)
    assert trained() == [(trial, seed, 0, 9) for trial in range(5) for seed in (6, 7, 8)]
    assert result.best[0].params["lr"] == 0.02


def test_at_a_rung_the_runs_wait_for_each_other_and_the_mean_is_judged() -> None:
    heard: list[object] = []
    result = tune(config(), listener=heard.append)
    rungs = [event for event in heard if isinstance(event, RungReached)]
    for event in rungs:
        rate = result.trials[event.number].params["lr"]
        assert event.score == pytest.approx(1 / event.step + rate * 2)  # 1, 2 and 3 on average
    done: dict[tuple[int, int], int] = {}
    for trial, seed, before, after in trained():
        assert done.get((trial, seed), 0) == before  # each continues from its own checkpoint
        others = [done.get((trial, other), 0) for other in {6, 7, 8} - {seed}]
        assert before == 0 or min(others) >= before or before in others
        done[trial, seed] = after
    for one in result.trials:
        steps = [done[one.number, seed] for seed in (6, 7, 8)]
        assert len(set(steps)) == 1  # they are promoted together, or not at all
        assert one.attrs["steps"] == sum(steps)
        assert (one.state == "COMPLETE") == (steps[0] == 9)
    assert {trial.state for trial in result.trials} == {"COMPLETE", "PRUNED"}
    folders = list(Path("autolr_runs/autolr").glob("trial_*/seed_*"))
    assert not [file for folder in folders for file in folder.iterdir()]


def test_the_score_is_the_mean_of_those_of_two_studies_with_one_seed_each() -> None:
    both = tune(config(seeds=2, pruner="none"), study="both", out="both")
    alone = []
    for seed in (6, 7):
        one = {**config(seeds=1, pruner="none"), "seed_everything": seed}
        alone.append(tune(one, study=f"s{seed}", out=f"s{seed}").trials)
    for pair, first, second in zip(both.trials, *alone, strict=True):
        assert first.value is not None
        assert second.value is not None
        assert pair.value == pytest.approx((first.value + second.value) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2, 4, 7, 10])
def test_a_study_cut_between_two_runs_of_a_trial_comes_to_the_same(jobs: int) -> None:
    whole = tune(config(), study="whole", out="whole")
    trained()
    seen = 0

    def cut(event: object) -> None:
        nonlocal seen
        if isinstance(event, RungReached | TrialStarted):
            seen += 1
            if seen == jobs:
                signal.raise_signal(signal.SIGTERM)

    parts = tune(config(), listener=cut)
    assert parts.interrupted == signal.SIGTERM
    resumed = tune(config())
    assert resumed.complete
    compared = [(one.state, one.value, one.scores, one.attrs["runs"]) for one in resumed.trials]
    assert compared == [
        (one.state, one.value, one.scores, one.attrs["runs"]) for one in whole.trials
    ]


def test_a_trial_whose_process_was_killed_at_its_very_end_is_not_trained_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(config(trials=1, pruner="none"))
    assert len(trained()) == 3
    result = tune(config(trials=1, pruner="none"))
    assert not Path("trained.txt").exists()
    assert result.trials[0].value == pytest.approx(1 / 9 + 0.05 * 2)
    assert result.trials[0].attrs["steps"] == 27


@pytest.mark.slow
def test_workers_share_the_runs_of_trials() -> None:
    alone = tune(config(pruner="none"), study="alone", out="alone")
    shared = tune(config(pruner="none"), study="shared", out="shared", workers=2)
    assert [trial.value for trial in shared.trials] == [trial.value for trial in alone.trials]


def test_a_run_that_fails_has_its_trial_tried_again_from_that_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("tune.yaml").write_text(yaml.safe_dump(config({"fails": 7}, pruner="none")))
    assert main(["tune", "tune.yaml"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "autolr: error: 3 trials in a row failed, the last one: seed 7: ValueError"
    )
    assert error.count("traceback in") == 1
    assert Path("autolr_runs/autolr/trial_2/seed_7/error.txt").is_file()
    assert trained() == [(trial, 6, 0, 9) for trial in range(3)]


def test_the_spread_is_shown_exported_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tune.yaml").write_text(yaml.safe_dump(config(pruner="none", trials=2)))
    assert main(["tune", "tune.yaml"]) == 0
    assert re.search(r"^ trial +val_loss +spread +lr ", capsys.readouterr().out, re.MULTILINE)
    assert Path("autolr_runs/autolr/best.yaml").read_text().splitlines()[0] == (
        f"# The best candidate of study autolr (trial 0, val_loss {1 / 9 + 0.1:.6g}, the mean of 3 "
        "seeds with a spread of 0.05)."
    )
    assert main(["show", "autolr"]) == 0
    assert re.search(r"^ trial .* val_loss +spread +lr ", capsys.readouterr().out, re.MULTILINE)
    table = pd.read_csv("autolr_runs/autolr/trials.csv")
    assert table["spread"].tolist() == pytest.approx([0.05, 0.2])
    assert main(["report", "autolr"]) == 0
    assert Path("autolr_runs/autolr/report.html").read_text().count("<th>spread</th>") == 2


def test_a_study_goes_on_with_as_many_seeds_as_it_began_with() -> None:
    tune(config(trials=1))
    with pytest.raises(StudyMismatchError, match=r"was made with seeds = 3, now it is 2"):
        tune(config(trials=2, seeds=2))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"seeds": 0}, "tune.seeds must be a whole number of at least 1, got 0"),
        ({"seeds": 101}, "tune.seeds must be a whole number of at most 100, got 101"),
        ({"seeds": [1]}, "tune.seeds must be a whole number of at least 1"),
        (
            {"pruner": {"name": "hyperband", "pause": False}},
            "tune.pruner.pause must be true with seeds",
        ),
    ],
)
def test_seeds_that_cannot_work_are_refused(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(line)):
        tune(config(**settings))


def test_runs_that_cannot_be_resumed_have_one_seed_or_no_rungs() -> None:
    for dry_run in (True, False):
        with pytest.raises(ConfigError, match=r"^tune.seeds is 3, .*: write tune.pruner: none$"):
            tune(config({"pauses": False}), dry_run=dry_run)
    assert tune(config({"pauses": False}, pruner="none"), trials=1).complete


def ended(value: float, **more: Any) -> TrialResult:
    return TrialResult(value, {"val_loss": value}, 10, 9, 1.0, **more)


def test_a_run_that_stopped_early_makes_the_trial_one_that_did() -> None:
    runs = Runs.read(None, 2).trained(0, ended(0.2)).trained(1, ended(0.4, stopped_at=5))
    together = runs.together(ended(0.4, stopped_at=5))
    assert together.value == pytest.approx(0.3)
    assert together.stopped_at == 5
    waiting = Runs.read(None, 2).trained(0, ended(0.2, stopped_at=2)).scored(1, 3, 0.7)
    assert waiting.mean_at(3) == 0.7


def test_the_peak_of_several_searches_is_one_that_was_found() -> None:
    runs = Runs.read(None, 3)
    for index, peak in enumerate((0.3, 0.1, 0.2)):
        runs = runs.trained(index, ended(0.5, peak=peak))
    assert runs.together(ended(0.5, peak=0.2)).peak == 0.2


def test_a_run_that_diverges_ends_its_trial_at_once() -> None:
    runs = Runs.read(None, 3).trained(0, ended(math.nan))
    assert not runs.has_another(ended(math.nan))
    assert runs.runs[0].value is None


def test_what_is_known_of_runs_survives_json() -> None:
    runs = Runs.read(None, 2).scored(0, 3, 0.5).trained(1, ended(0.4))
    assert Runs.read(json.loads(json.dumps(runs.to_json())), 2) == runs
    assert runs.next == 0
    assert runs.runs[0] == Run(scores={3: 0.5})
