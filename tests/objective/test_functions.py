"""A Python function as the objective of a study."""

import contextlib
import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import autolr
from autolr.candidate import Candidate
from autolr.cli import main
from autolr.config import read_config
from autolr.console import ConsoleProgress, conclusion
from autolr.errors import ConfigError, SpaceError, StudyMismatchError, UserCodeError
from autolr.job import Decision, TrialJob
from autolr.objective import check_run, given, run_trial
from autolr.objective.function_path import path_of
from autolr.schedules import registry
from autolr.testing import ObjectiveContract
from autolr.testing.objective import RecordingJudge
from tests.cases import only_with_slow
from tests.objective import functions
from tests.objective.functions import SPACE, Static, begun_anew, resumed

MODULE = "tests.objective.functions"


class TestResumed(ObjectiveContract):
    candidate = Candidate(peak=0.1, settings=(("power", 2),))

    @pytest.fixture
    def source(self) -> Mapping[str, Any]:
        return {
            "objective": {"function": f"{MODULE}:resumed", "max_steps": 9},
            "tune": {"space": SPACE, "mode": "min"},
        }

    def test_it_goes_the_course_that_a_formula_has(self, job: TrialJob) -> None:
        expected = math.prod(1 - 0.1 * (1 - step / 9) for step in range(9)) ** 2
        assert run_trial(job, RecordingJudge()).value == pytest.approx(expected)


def lost(trial: autolr.Trial) -> float:
    """Diverge with an odd seed."""
    return math.nan if trial.seed % 2 else 1.0


@pytest.mark.parametrize(
    ("seeds", "last"),
    [
        ([], "the run ended with a score of nan"),
        (["--seeds", "2"], "1 of 2 runs ended with a score of nan"),
    ],
)
def test_a_fit_that_diverges_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seeds: list[str],
    last: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    section = {"function": f"{__name__}:lost", "candidate": Candidate(peak=0.1).to_dict()}
    config = {"seed_everything": 1, "objective": section}
    Path("best.yaml").write_text(f"# Monitor: score\n{yaml.safe_dump(config)}")
    assert main(["fit", "best.yaml", *seeds]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"autolr: error: {last}\n"
    assert "nan" in printed.out


class TestBegunAnew(ObjectiveContract):
    """Saves nothing: its trials end at their rungs, or begin anew."""

    candidate = Candidate(peak=0.1)

    @pytest.fixture
    def source(self) -> Mapping[str, Any]:
        return {
            "objective": {"function": f"{MODULE}:begun_anew", "max_steps": 12},
            "tune": {"space": {"lr": 0.1}, "mode": "min"},
        }

    def test_a_paused_run_is_resumed_as_if_it_had_not_been(self, job: TrialJob) -> None:  # type: ignore[override]
        result = run_trial(job, RecordingJudge({job.rungs[0]: Decision.PAUSE}))
        assert (result.pruned, result.paused) == (True, False)

    def test_the_first_score_from_a_rung_on_counts(self, job: TrialJob) -> None:
        judge = RecordingJudge()
        result = run_trial(replace(job, rungs=(3, 5, 7)), judge)  # it reports at 2, 4, 6 ...
        course = {
            step: math.prod(1 - 0.1 * (1 - k / 12) for k in range(step)) for step in (4, 6, 8)
        }
        assert judge.scores == pytest.approx({3: course[4], 5: course[6], 7: course[8]})
        judge = RecordingJudge()
        run_trial(replace(job, rungs=(3, 4), known=(4,)), judge)
        assert judge.scores == {}
        run_trial(replace(job, rungs=(3, 4)), judge)  # both passed at once: the last one counts
        assert judge.scores == pytest.approx({4: course[4]})
        assert result.steps == 12


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def job_of(
    function: Callable[[autolr.Trial], Any], path: Path, **fields: Any
) -> tuple[TrialJob, Callable[[], Any]]:
    """Return a job of ten steps for a function, and what trains it."""
    found = path_of(function)
    source = {
        "objective": {"function": found.path, "max_steps": 10},
        "tune": {"space": {"lr": 0.1}, "mode": "min"},
    }
    config = read_config(source, folder=found.folder)
    job = TrialJob(config, Candidate(peak=0.1), path / "trial_0", (), 10, trial="a 0")
    job = replace(job, **fields)

    def train() -> Any:
        with given(found.path, function):
            return run_trial(job, RecordingJudge())

    return job, train


def test_a_trial_that_is_left_before_it_goes_on_keeps_its_steps(tmp_path: Path) -> None:
    job, _ = job_of(begun_anew, tmp_path, rungs=(3, 6), known=(3,))
    result = run_trial(job, RecordingJudge(), lambda: True)
    assert (result.paused, result.steps) == (True, 3)


def test_a_study_of_a_function_pauses_promotes_and_finds_the_best() -> None:
    result = autolr.tune(resumed, SPACE, max_steps=27, trials=12, mode="min")
    assert (result.finished, result.failed) == (12, 0)
    best = result.best[0]
    assert best.params.keys() == {"lr", "power"}
    peak, power = best.params["lr"], best.params["power"]
    schedule = Candidate().schedule  # linear: the space has none
    expected = math.prod(1 - peak * schedule.at(step, 27) for step in range(27)) ** power
    assert best.value == pytest.approx(expected)
    assert {trial.state for trial in result.trials} == {"COMPLETE", "PRUNED"}
    states = Path("autolr_runs/autolr").glob("trial_*/rung.ckpt")
    assert [*states] == []
    again = autolr.tune(resumed, SPACE, max_steps=27, trials=12, mode="min")
    assert (again.trained, again.best) == (0, result.best)


def test_the_best_parameters_are_what_the_function_got(capsys: pytest.CaptureFixture[str]) -> None:
    got: list[Any] = []

    def objective(trial: autolr.Trial) -> float:
        got.append((trial.settings["reg"], trial.settings["sizes"]))
        return float(trial.settings["reg"]["l2"])

    space = {"reg": [{"l2": 0.5}, {"l2": 0.1}], "sizes": [[8, 8]]}
    for result in [autolr.tune(objective, space, trials=2, mode="min") for _ in range(2)]:
        trained = [(trial.params["reg"], trial.params["sizes"]) for trial in result.trials]
        assert trained == got
        assert result.best[0].params["reg"] == {"l2": 0.1}
        assert any('reg={"l2": 0.1} sizes=[8, 8]' in str(line) for line in conclusion(result))


def test_a_trial_that_saves_nothing_ends_at_its_rung() -> None:
    calls: list[int] = []

    def objective(trial: autolr.Trial) -> None:
        calls.append(trial.number)
        begun_anew(trial)

    result = autolr.tune(objective, {"lr": SPACE["lr"]}, max_steps=27, trials=9, mode="min")
    assert calls == list(range(9))
    ended = [trial for trial in result.trials if trial.state == "PRUNED"]
    assert ended
    assert all(trial.attrs["steps"] < 27 for trial in ended)


def test_a_function_without_reports_is_called_once_a_trial() -> None:
    result = autolr.tune(
        lambda trial: (trial.settings["x"] - 2) ** 2,
        {"x": {"low": -5.0, "high": 5.0}},
        trials=10,
        monitor="loss",
    )
    assert {trial.state for trial in result.trials} == {"COMPLETE"}
    assert result.best[0].value == min((trial.params["x"] - 2) ** 2 for trial in result.trials)


def test_what_a_trial_knows() -> None:
    seen: list[autolr.Trial] = []

    def objective(trial: autolr.Trial) -> float:
        seen.append(trial)
        assert dict(trial.settings) == {"kind": "a", "model.width": trial.settings["model.width"]}
        assert trial.settings["model.width"] in (4, 8)
        assert trial.settings.kind == "a"
        with pytest.raises(AttributeError, match="unknown setting 'knd'; did you mean 'kind'"):
            trial.settings.knd  # noqa: B018
        with pytest.raises(KeyError, match=r"must be one of: kind, model\.width"):
            trial.settings["x"]
        assert trial.load() is None
        return trial.rate(3)

    space = {"lr": 0.5, "schedule": "cosine", "kind": "a", "model.width": [4, 8]}
    result = autolr.tune(objective, space, max_steps=9, trials=2, mode="min")
    assert [trial.number for trial in seen] == [0, 1]
    assert seen[0].candidate.schedule == autolr.schedules.cosine()
    assert (seen[0].max_steps, seen[0].seed) == (9, 0)
    assert seen[1].folder == Path("autolr_runs/autolr/trial_1")
    assert result.best[0].value == 0.5 * autolr.schedules.cosine().at(3, 9)


def test_without_lr_a_trial_has_no_rate() -> None:
    with pytest.raises(ConfigError, match=r"trial.rate\(step\) needs lr in the space") as raised:
        autolr.tune(lambda trial: trial.rate(0), {"x": [1, 2]}, mode="min")
    assert re.search(r"\(\S*test_functions.py:\d+\)$", str(raised.value))


def test_the_console_tells_of_a_functions_study(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress() as progress:
        autolr.tune(
            resumed, SPACE, max_steps=9, trials=4, monitor="loss", pruner="none", listener=progress
        )
    assert "trial 0 starts: lr=" in capsys.readouterr().out
    assert main(["show", "autolr"]) == 0
    shown = capsys.readouterr().out
    assert "4 complete; lower loss is better" in shown
    assert "power" in shown
    assert main(["report", "autolr"]) == 0
    page = Path("autolr_runs/autolr/report.html").read_text()
    assert "<pre>autolr fit autolr_runs/autolr/best.yaml</pre>" in page
    assert "average" not in page
    assert main(["export", "autolr", "--to", "all.csv"]) == 0
    assert "power" in Path("all.csv").read_text()


def test_the_page_has_the_curve_of_all_reports() -> None:
    autolr.tune(begun_anew, {"lr": 0.1}, max_steps=8, trials=1, mode="min", pruner="none")
    lines = Path("autolr_runs/autolr/trial_0/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 3, 5, 7]


def test_a_resumed_trial_continues_its_curve(tmp_path: Path) -> None:
    job, _ = job_of(resumed, tmp_path, rungs=(3, 6))
    job = replace(job, candidate=Candidate(peak=0.1, settings=(("power", 2),)))
    whole = replace(job, folder=tmp_path / "whole")
    run_trial(whole, RecordingJudge())
    run_trial(job, RecordingJudge({3: Decision.PAUSE}))
    run_trial(replace(job, known=(3,)), RecordingJudge({6: Decision.PAUSE}))
    run_trial(replace(job, known=(3, 6)), RecordingJudge())
    lines = (whole.folder / "metrics.jsonl").read_text()
    assert [json.loads(line)["step"] for line in lines.splitlines()] == [2, 5, 9]
    assert (job.folder / "metrics.jsonl").read_text() == lines


def test_best_yaml_of_a_function_is_called_again(capsys: pytest.CaptureFixture[str]) -> None:
    result = autolr.tune(resumed, SPACE, max_steps=9, trials=3, mode="min")
    file = "autolr_runs/autolr/best.yaml"
    assert f"Call the function with it: `autolr fit {file}`" in Path(file).read_text()
    assert main(["fit", file, "--out", "again"]) == 0
    best = result.best[0]
    compared = f"to compare with: study autolr (trial {best.number}, score {best.value:.6g})"
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"the function returned {best.value:.6g}", compared]
    assert main(["fit", file, "--out", "again", "--seeds", "2"]) == 0
    value = f"{best.value:.6g}"  # it has no use for the seed
    *runs, spread, last = capsys.readouterr().out.splitlines()
    assert runs == [f"seed 0: {value}", f"seed 1: {value}"]
    assert "the mean of 2 seeds with a spread of 0" in spread
    assert last == compared
    assert main(["tune", file, "--study", "other"]) == 2
    assert "objective.candidate is for autolr fit" in capsys.readouterr().err
    config = yaml.safe_load(Path(file).read_text())
    del config["objective"]["candidate"]
    Path("none.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "none.yaml"]) == 2
    assert "and this config has none" in capsys.readouterr().err


def test_best_yaml_of_a_lambda_says_that_it_cannot_be_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    autolr.tune(lambda trial: 1.0, {"x": [1]}, trials=1, mode="min")
    file = Path("autolr_runs/autolr/best.yaml")
    assert "autolr fit" not in file.read_text()
    assert main(["report", "autolr"]) == 0
    assert "autolr fit" not in Path("autolr_runs/autolr/report.html").read_text()
    assert main(["fit", str(file)]) == 2
    assert "must be the path of a function at the top of a module" in capsys.readouterr().err


def test_a_config_names_a_function_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("def square(trial):\n    return trial.settings.x ** 2\n")
    config = {"objective": {"function": "mine:square"}, "tune": {"space": {"x": [1, 2]}}}
    Path("study.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "study.yaml", "--trials", "2"]) == 0
    assert "autolr fit autolr_runs/autolr/best.yaml" in capsys.readouterr().out
    config["objective"]["steps"] = 3  # type: ignore[index]
    Path("study.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "study.yaml", "--fresh"]) == 2
    assert "objective: unknown key 'steps'" in capsys.readouterr().err


def test_the_module_of_a_function_may_register_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    Path("flat_of_mine.py").write_text(
        "from autolr.schedules import profile\n\n\n"
        "@profile\ndef flat_of_mine(k, n):\n"
        '    """Return 1."""\n    return k * 0 + 1.0\n\n\n'
        "def objective(trial):\n    return trial.rate(0)\n"
    )
    section = {"function": "flat_of_mine:objective"}
    space = {"lr": 0.5, "schedule": "flat_of_mine"}
    Path("study.yaml").write_text(
        yaml.safe_dump({"objective": section, "tune": {"space": space, "trials": 1}})
    )
    assert autolr.tune("study.yaml").best[0].value == 0.5


@pytest.mark.parametrize(
    ("function", "path"),
    [
        (resumed, f"{MODULE}:resumed"),
        (Static.objective, f"{MODULE}:Static.objective"),
        (Static().method, f"{MODULE}:<Static.method>"),
        (Static(), f"{MODULE}:<Static>"),
        (functools.partial(resumed), "functools:<partial>"),
        (lambda trial: 1.0, f"{__name__}:<lambda>"),
    ],
    ids=["function", "static", "method", "object", "partial", "lambda"],
)
def test_only_what_can_be_imported_has_a_path_for_workers(function: Any, path: str) -> None:
    assert path_of(function).path == path
    if "<" in path:
        for settings in ({"workers": 2}, {"trial_timeout": 5.0}):
            with pytest.raises(ConfigError, match=r"function at the top of a \.py file") as raised:
                autolr.tune(function, {"x": [1]}, mode="min", **settings)
            assert "\n" not in str(raised.value)
        with pytest.raises(ConfigError, match="that workers can import"):
            autolr.tune(function, {"x": [1]}, mode="min", workers=2, dry_run=True)
    else:
        assert path_of(function).folder == Path(functions.__file__).parents[2]


def test_a_function_that_was_replaced_is_not_taken_for_the_one_at_its_path() -> None:
    wrapped = functools.wraps(resumed)(lambda trial: 0.0)
    assert path_of(wrapped).path == f"{MODULE}:<resumed>"


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda: 1.0, "must be a function that takes one argument, the trial"),
        (lambda a, b: 1.0, "missing a required argument: 'b'"),
        (Static, "must be a function that takes one argument"),
        (3, "must be a function that takes one argument"),
    ],
)
def test_what_cannot_be_called_with_a_trial_is_refused(function: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        autolr.tune(function, {"x": [1]}, mode="min")


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (None, "None"),
        ("0.5", "'0.5'"),
        ([1.0], r"\[1.0\]"),
        (True, "True"),
        (1j, "1j"),
        (torch.zeros(2), "tensor"),
    ],
)
def test_a_return_value_that_is_no_score_ends_the_study(returned: Any, got: str) -> None:
    with pytest.raises(ConfigError, match=f"what .*<lambda> returns must be a number.*{got}"):
        autolr.tune(lambda trial: returned, {"x": [1]}, mode="min")


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_that_of_a_trial_that_diverged(score: float) -> None:
    def reporting(trial: autolr.Trial) -> float:
        trial.report(1.0, 1)
        trial.report(score, 2)
        raise AssertionError("it was to be left")

    for study, function in (("returned", lambda trial: score), ("reported", reporting)):
        result = autolr.tune(function, {"x": [1]}, max_steps=3, trials=1, mode="min", study=study)
        (trial,) = result.trials
        assert (trial.state, trial.attrs["reason"]) == ("PRUNED", "diverged")
        assert trial.attrs["steps"] == (3 if study == "returned" else 2)


def test_what_optunas_trials_have_is_answered_with_what_these_have() -> None:
    def objective(trial: Any) -> float:
        with pytest.raises(AttributeError, match=r"trial\.settings\.NAME is its value"):
            trial.suggest_float("x", 0, 1)
        for holder in (trial, trial.settings):
            with pytest.raises(AttributeError, match=r"is trial\.rate\(step\)"):
                assert holder.lr
        assert not hasattr(trial, "anything")
        return 0.5

    result = autolr.tune(objective, {"x": [1]}, trials=2, mode="min")
    assert "1 of 2 trials finished (all 1 candidates of the space" in str(result)


def test_whether_a_study_is_deleted_is_no_guess() -> None:
    with pytest.raises(ConfigError, match="fresh must be True or False, got 'no'"):
        autolr.tune(lambda trial: 1.0, {"x": [1]}, mode="min", fresh="no")  # type: ignore[arg-type]


def test_scores_that_are_not_finite_are_said_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    def objective(trial: autolr.Trial) -> float:
        return math.nan if trial.settings.x else 0.5

    with ConsoleProgress() as progress:
        result = autolr.tune(objective, {"x": [0, 1]}, trials=2, mode="min", listener=progress)
    said = "2 of 2 trials finished, 1 of them with a score that is not finite"
    assert said in str(result)
    assert any(said in str(part) for part in conclusion(result))
    assert "ends: score is not finite (1 step," in capsys.readouterr().out
    assert main(["show", "autolr"]) == 0
    shown = capsys.readouterr().out
    assert "study 'autolr': 1 complete, 1 not finite; lower score is better" in shown
    assert "the score is not finite" in shown
    assert main(["show"]) == 0
    assert "not finite" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("score", [0.5, np.float32(0.5), torch.tensor(0.5), np.array(0.5)])
def test_numbers_of_every_kind_are_scores(score: Any) -> None:
    def objective(trial: autolr.Trial) -> Any:
        trial.report(score, np.int64(1))  # type: ignore[arg-type]
        return score

    result = autolr.tune(objective, {"x": [1]}, trials=1, mode="min")
    assert result.best[0].value == 0.5


@pytest.mark.parametrize(
    ("reports", "match"),
    [
        ([(1.0, 5), (1.0, 5)], "from 6 to max_steps, 10, after 5 in the last report, got 5"),
        ([(1.0, 5), (1.0, 4)], "from 6 to max_steps, 10, after 5 in the last report, got 4"),
        ([(1.0, 11)], "from 1 to max_steps, 10, got 11"),
        ([(1.0, 0)], "from 1 to max_steps, 10, got 0"),
        ([(1.0, 1.5)], "from 1 to max_steps, 10, got 1.5"),
        ([(1.0, True)], "from 1 to max_steps, 10, got True"),
        ([(1.0, 10), (1.0, 11)], "max_steps 10 was the last one, got 11"),
        ([("1", 1)], "score must be a number, got '1'"),
    ],
)
def test_a_report_that_cannot_be_is_refused_with_its_line(
    reports: list[tuple[Any, Any]], match: str, tmp_path: Path
) -> None:
    def objective(trial: autolr.Trial) -> None:
        for score, step in reports:
            trial.report(score, step)

    _, train = job_of(objective, tmp_path)
    with pytest.raises(ConfigError, match=match) as raised:
        train()
    assert re.search(r"\(\S*test_functions.py:\d+\)$", str(raised.value))


def test_an_error_of_the_function_is_named_with_its_line() -> None:
    def objective(trial: autolr.Trial) -> float:
        raise RuntimeError("no such data\nat all")

    with pytest.raises(UserCodeError, match=r"3 trials in a row failed") as raised:
        autolr.tune(objective, {"x": [1, 2, 3]}, trials=5, mode="min")
    line = str(raised.value)
    assert re.search(r"RuntimeError: no such data at all \(\S*test_functions.py:\d+\)", line)


def test_why_trials_failed_is_said_to_who_does_not_listen() -> None:
    def misspelt(trial: autolr.Trial) -> float:
        return trial.settings.b  # type: ignore[no-any-return]

    with pytest.warns(UserWarning, match="trial . failed: ") as warned:
        result = autolr.tune(misspelt, {"a": [1, 2]}, trials=3, mode="min")
    reasons = [str(trial.attrs["reason"]) for trial in result.trials]
    assert all("AttributeError" in reason and " b" in reason for reason in reasons)
    assert [str(one.message) for one in warned] == [
        f"trial {number} failed: {reason}" for number, reason in enumerate(reasons)
    ]
    assert f"; trial 1 failed: {reasons[1]}" in str(result)


def test_except_exception_does_not_keep_a_trial_from_its_end(tmp_path: Path) -> None:
    def objective(trial: autolr.Trial) -> float:
        for step in range(1, 11):
            with contextlib.suppress(Exception):
                trial.report(1.0, step)
        return 0.0

    def stubborn(trial: autolr.Trial) -> float:
        for step in range(1, 11):
            with contextlib.suppress(BaseException):
                trial.report(1.0, step)
        return 0.0

    for function in (objective, stubborn):
        job, _ = job_of(function, tmp_path, rungs=(4,))
        with given(path_of(function).path, function):
            result = run_trial(job, RecordingJudge({4: Decision.PAUSE}))
        assert (result.pruned, result.value) == (True, 1.0)


def test_a_state_counts_once_the_study_has_its_score(tmp_path: Path) -> None:
    """Killed between save and report, a trial is not judged by a later score."""

    def killed(trial: autolr.Trial) -> float:
        trial.save("before the rung")
        trial.report(1.0, 3)
        trial.save("at the rung")
        raise MemoryError

    job, train = job_of(killed, tmp_path, rungs=(5,))
    with pytest.raises(UserCodeError):
        train()

    def seen(trial: autolr.Trial) -> float:
        assert trial.load() == "before the rung"
        trial.save("behind the last rung")
        return 0.0

    _, train = job_of(seen, tmp_path, known=(5,), rungs=(5,))
    assert train().value == 0.0
    assert not job.checkpoint.exists()


def test_a_state_of_another_trial_or_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    class Listening(RecordingJudge):
        def remark(self, line: str) -> None:
            lines.append(line)

    lines: list[str] = []

    loaded: list[Any] = []

    def objective(trial: autolr.Trial) -> float:
        loaded.append(trial.load())
        trial.save({"x": 1})
        raise MemoryError

    with given(path_of(objective).path, objective):
        for trial in ("a 0", "a 0", "b 0"):
            job, _ = job_of(objective, tmp_path, trial=trial)
            with pytest.raises(UserCodeError):
                run_trial(job, Listening())
        data = job.checkpoint.read_bytes()
        job.checkpoint.write_bytes(data[:-30])
        with pytest.raises(UserCodeError):
            run_trial(job, Listening())
    assert loaded == [None, {"x": 1}, None, None]
    assert ["another trial" in line for line in lines] == [True, False]
    assert "it is damaged (BadZipFile" in lines[1]


def test_other_functions_steps_and_spaces_do_not_resume_a_study() -> None:
    autolr.tune(resumed, SPACE, max_steps=9, trials=1, mode="min")
    for function, steps, match in (
        (begun_anew, 9, "objective.function = "),
        (resumed, 12, "objective.max_steps = 9, now it is 12"),
    ):
        with pytest.raises(StudyMismatchError, match=match):
            autolr.tune(function, SPACE, max_steps=steps, trials=2, mode="min")
    with pytest.raises(StudyMismatchError, match=r"space"):
        autolr.tune(resumed, {**SPACE, "power": [2]}, max_steps=9, trials=2, mode="min")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({}, "tune.mode must be 'min' or 'max': the name 'score' does not say"),
        ({"mode": "min", "max_steps": 0}, "objective.max_steps must be a whole number"),
        ({"mode": "min", "max_steps": 1.5}, "objective.max_steps must be a whole number"),
        ({"mode": "min", "space": {"lr": "online"}}, "lr must be a range or numbers: no search"),
        ({"mode": "min", "space": {"lr": [0.1], "lr.b": [0.2]}}, "may both exist"),
        ({"mode": "min", "space": {"schedule": ["cosin"]}}, "unknown schedule 'cosin'"),
        ({"mode": "min", "space": {"cooldown": 0.1, "schedule": ["wsd", "linear"]}}, "add when"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        autolr.tune(resumed, **{"space": SPACE, **settings})


def test_max_steps_and_seed_are_for_functions() -> None:
    with pytest.raises(ConfigError, match="max_steps 5 is for a Python function"):
        autolr.tune({"model": {}}, max_steps=5)
    with pytest.raises(ConfigError, match="seed 5 is for a Python function; a config has seed_eve"):
        autolr.tune({"model": {}}, seed=5)


def test_the_seed_decides_what_is_drawn_and_the_trial_has_it() -> None:
    drawn = [
        autolr.tune(
            lambda trial: trial.seed, SPACE, trials=2, mode="min", seed=seed, study=f"s{number}"
        )
        for number, seed in enumerate([3, 3, 4])
    ]
    params = [[trial.params for trial in result.trials] for result in drawn]
    assert params[0] == params[1] != params[2]
    assert [result.best[0].value for result in drawn] == [3, 3, 4]


def test_only_a_function_takes_plain_names_that_no_profile_takes() -> None:
    with pytest.raises(SpaceError, match="unknown parameter 'alpha'"):
        read_config({"tune": {"space": {"lr": 0.1, "alpha": 1}}})
    source = {"objective": {"function": "m:f"}}
    space = {"lr": 0.1, "alpha": 1, "schedule": "wsd", "cooldown": 0.2}
    assert read_config({**source, "tune": {"space": space}}).space.own == {"alpha"}
    del space["schedule"]
    read = read_config({**source, "tune": {"space": space}})
    assert read.space.own == {"alpha", "cooldown"}


def test_the_check_does_not_call_the_function(tmp_path: Path) -> None:
    def objective(trial: autolr.Trial) -> float:
        raise AssertionError

    job, _ = job_of(objective, tmp_path)
    with given(path_of(objective).path, objective):
        assert check_run(job.config, tmp_path).run_steps == 10


@pytest.mark.parametrize("seeds", [1, *only_with_slow(2)])
def test_a_function_may_change_the_lists_that_it_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: int
) -> None:
    monkeypatch.chdir(tmp_path)

    def summed(trial: autolr.Trial) -> float:
        trial.settings.parts.append(9)
        return float(sum(trial.settings.parts))

    space = {"parts": [[1], [2, 3]]}
    result = autolr.tune(summed, space, trials=2, mode="min", seeds=seeds)
    assert [best.params["parts"] for best in result.best] == [[1], [2, 3]]
    assert [best.value for best in result.best] == [10.0, 14.0]
    assert space == {"parts": [[1], [2, 3]]}
