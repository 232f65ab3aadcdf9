"""What the commands that only look show of a study."""
# mypy: allow-untyped-calls, allow-untyped-defs

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest

from autolr import study
from autolr.cli import main


@pytest.fixture
def storage(tmp_path):
    """Return the URL of a storage with a study of four trials, one in each way to end."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with study.locked(url, "digits"):
        handle = study.open_study(url, "digits", sampler="random")
        handle.check_fingerprint({"monitor": "val_loss"})
        for end in ("complete", "worse", "pruned", "failed"):
            trial = handle.ask()
            trial.suggest_float("lr", 1e-3, 1.0, log=True)
            handle.report(trial, 10, 0.75)
            attrs = {"steps": 100, "seconds": 1.5}
            if end == "pruned":
                handle.prune(trial, "not among the best at its rung", {"steps": 10})
            elif end == "failed":
                handle.fail(trial, "ValueError: no image")
            else:
                handle.complete(trial, 0.25 if end == "complete" else 0.5, attrs)
        handle.close()
    return url


def shown(capsys, *arguments):
    assert main(["show", *arguments]) == 0
    return capsys.readouterr().out


def test_a_storage_is_listed_with_the_best_value_of_each_study(capsys, storage):
    row = shown(capsys, "--storage", storage).split("\n")[3].split()
    assert row == ["digits", "val_loss", "2", "1", "1", "0", "0", "0.25"]


@pytest.mark.slow
def test_who_works_on_a_study_is_shown_as_long_as_it_lives(capsys, tmp_path):
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    script = (
        "import sys\n"
        "from autolr import study\n"
        "handle = study.open_study(sys.argv[1], 'cut', sampler='random')\n"
        "handle.ask()\n"
        "study.Heartbeat(handle).renew()\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert driver.stdout is not None
    driver.stdout.readline()
    lines = shown(capsys, "cut", "--storage", url).splitlines()
    assert lines[0].startswith("study 'cut': 1 running")
    assert lines[1].startswith(f"process {driver.pid} on ")
    driver.kill()
    driver.communicate()
    assert (
        shown(capsys, "cut", "--storage", url).splitlines()[1].startswith("no driver works on it")
    )


def test_a_study_is_shown_trial_by_trial(capsys, storage):
    lines = shown(capsys, "digits", "--storage", storage).splitlines()
    assert lines[0] == ("study 'digits': 2 complete, 1 pruned, 1 failed; lower val_loss is better")
    rows = [line.split() for line in lines[4:8]]
    assert [row[:2] for row in rows] == [
        ["0", "COMPLETE"],
        ["1", "COMPLETE"],
        ["2", "PRUNED"],
        ["3", "FAIL"],
    ]
    assert "0.75" in rows[2]  # of its last rung
    assert "no image" in lines[7]


def test_a_pipe_is_as_wide_as_the_environment_says(capsys, storage, monkeypatch):
    arguments = ("digits", "--storage", storage)
    wide = shown(capsys, *arguments)
    assert "why" in wide
    monkeypatch.setenv("COLUMNS", "60")
    narrow = shown(capsys, *arguments)
    assert max(map(len, narrow.splitlines()[1:])) <= 60
    assert "trial 2: not among the best at its rung" in narrow
    assert "trial 3: ValueError: no image" in narrow
    monkeypatch.setenv("COLUMNS", "")
    assert shown(capsys, *arguments) == wide


def test_json_holds_every_trial_as_it_is_stored(capsys, storage):
    shown_study = json.loads(shown(capsys, "digits", "--storage", storage, "--json"))
    summary = study.look(storage, "digits")
    assert [trial["value"] for trial in shown_study["trials"]] == [0.25, 0.5, None, None]
    assert shown_study["trials"][0]["scores"] == {"10": 0.75}
    assert shown_study["trials"][0]["params"] == summary.trials[0].params


@pytest.mark.parametrize(
    ("name", "read"), [("trials.csv", pd.read_csv), ("trials.parquet", pd.read_parquet)]
)
def test_trials_are_exported_in_the_format_of_the_file(capsys, storage, tmp_path, name, read):
    file = tmp_path / "out" / name
    assert main(["export", "digits", "--storage", storage, "--to", str(file)]) == 0
    frame = read(file)
    assert frame["state"].tolist() == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL"]
    assert frame["value"].tolist()[:2] == [0.25, 0.5]
    assert capsys.readouterr().out.split() == ["wrote", *str(file).split()]


def test_a_study_is_reported_beside_its_results_or_in_a_folder_of_its_own(
    capsys, storage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "autolr_runs" / "digits"
    for to in ("digits_report", "autolr_runs/digits"):
        assert main(["report", "digits", "--storage", storage]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == [f"wrote {to}/report.html", f"wrote {to}/trials.csv"]
        text = (tmp_path / to / "report.html").read_text("utf-8")
        assert "val_loss 0.25" in text
        assert "ValueError: no image" in text
        assert len(pd.read_csv(tmp_path / to / "trials.csv")) == 4
        assert f"{len(list((tmp_path / to / 'figures').glob('*.svg')))} charts" in lines[2]
        results.mkdir(parents=True, exist_ok=True)


def test_a_study_is_reported_where_its_driver_put_the_results(
    capsys, storage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").mkdir()
    handle = study.open_study(storage, "digits", sampler="random")
    handle.set_attr(study.FOLDER, str(tmp_path / "elsewhere"))
    handle.close()
    assert main(["report", "digits", "--storage", storage]) == 0
    assert capsys.readouterr().out.startswith("wrote elsewhere/report.html")


def test_a_study_that_others_made_is_reported_too(storage, tmp_path):
    theirs = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
    for value in (0.25, 0.75):
        trial = theirs.ask({"kind": optuna.distributions.CategoricalDistribution(["a", "b"])})
        for name in ("found", "steps", "metrics", "bracket", "seconds", "reason"):
            trial.set_user_attr(name, ["anything"])
        theirs.tell(trial, value)
    assert main(["report", "theirs", "--storage", storage, "--to", str(tmp_path / "new")]) == 0
    assert "value 0.75" in (tmp_path / "new" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["report", "digit"], "unknown study 'digit'; did you mean 'digits'?"),
        (["report", "digits", "--out", "none"], "out must be the folder for results of the study"),
        (["report", "digits", "--to", __file__], "to must be a folder to write to"),
        (["show", "digit"], "unknown study 'digit'; did you mean 'digits'?"),
        (["export", "digits", "--to", "trials.xls"], "to must be a file that ends in .csv or"),
    ],
)
def test_what_is_not_there_is_one_line_and_exit_2(capsys, storage, arguments, line):
    assert main([*arguments, "--storage", storage]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_a_storage_that_is_not_there_is_not_created(capsys, tmp_path):
    url = f"sqlite:///{tmp_path / 'none.db'}"
    assert f"no studies in {url}; --storage URL names" in shown(capsys, "--storage", url)
    assert main(["show", "digits", "--storage", url]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_optuna_command_reads_the_same_study(storage):
    optuna = Path(sys.executable).with_name("optuna")
    command = [optuna, "trials", "--study-name", "digits", "--storage", storage, "-f", "json"]
    shown_study = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [row["state"] for row in json.loads(shown_study.stdout)] == [
        "COMPLETE",
        "COMPLETE",
        "PRUNED",
        "FAIL",
    ]
