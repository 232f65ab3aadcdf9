"""Arguments, settings and files that cannot work: one line, exit 2 or 4, and nothing is lost.

Every option of every command and every key of the section ``tune:`` is tried with the same values;
a test tries all of them, and its traceback shows the one that failed among the arguments.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest

from autolr import load_result
from autolr.cli import main
from autolr.config import read_config
from autolr.errors import ConfigError
from autolr.study import open_study

HUGE = "1" + "0" * 400
NO_TEXTS = {
    "empty": "",
    "blank": " ",
    "NUL": "x\0y",
    "half": "x\ud800",
    "lines": "a\nb",
    "tab": "\t",
}
NO_NUMBERS = {"nan": "nan", "word": "many", "null": "null", "list": "[1]", "long": "9" * 6000}
LONG = {"long": "x" * 5000, "deep": "x/" * 3000}
COMMANDS = {
    "worker": ["worker", "c.yaml", "--wait", "0"],
    "fit": ["fit", "c.yaml"],
    "tune": ["tune", "c.yaml", "--dry-run"],
    "show": ["show", "line"],
    "report": ["report", "line"],
    "export": ["export", "line"],
    "clean": ["clean", "line"],
    "dashboard": ["dashboard", "line"],
    "doctor": ["doctor"],
    "transfer": ["transfer", "0.1", "--schedule", "wsd", "--steps", "100"],
}
TEXTS = [
    *[("tune", option) for option in ("engine", "listen", "storage", "study", "out", "workers")],
    *[("worker", option) for option in ("storage", "study", "out")],
    ("fit", "out"),
    *[(command, "storage") for command in ("show", "report", "clean", "export")],
    *[(command, "storage") for command in ("dashboard", "doctor")],
    *[("report", "out"), ("clean", "out"), ("report", "to"), ("export", "to")],
    *[("transfer", "schedule"), ("transfer", "kind")],
]
NUMBERS = [
    *[("tune", "trials"), ("tune", "timeout"), ("tune", "trials-per-gpu")],
    *[("worker", "wait"), ("dashboard", "port"), ("fit", "seeds")],
    *[("transfer", option) for option in ("steps", "to-steps", "batch", "width")],
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a study of one trial."""
    file = tmp_path_factory.mktemp("database") / "autolr.db"
    handle = open_study(f"sqlite:///{file}", "line")
    handle.complete(handle.ask(), 0.5, {"steps": 3})
    handle.close()
    return file


@pytest.fixture(autouse=True)
def project(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config that would work if it had a model, and a study of one trial."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("model: {class_path: none.Model}\ntune: {study: line}\n")
    shutil.copy(database, "autolr.db")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str, status: int = 2) -> str:
    """Run a command, which must say in one line why it does nothing; return that."""
    assert main(words) == status, capsys.readouterr()
    message = capsys.readouterr().err
    assert message.startswith("autolr: error: "), words
    assert message.count("\n") == 1
    assert len(message) < 1100
    return message


def name_of(option: str) -> str:
    """The part of an option that its setting's name has too: to-steps is to_steps."""
    return option.rpartition("-")[2]


@pytest.mark.parametrize(("command", "option"), TEXTS)
def test_an_option_that_is_no_text_is_named(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    for value in NO_TEXTS.values():
        assert option in refused(capsys, *COMMANDS[command], f"--{option}", value)


@pytest.mark.parametrize(("command", "option"), NUMBERS)
def test_an_option_that_is_no_such_number_is_named(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    words = [word for word in COMMANDS[command] if word not in ("--wait", "0")]
    for value in (*NO_TEXTS.values(), *NO_NUMBERS.values(), "-1"):
        assert name_of(option) in refused(capsys, *words, f"--{option}", value)


@pytest.mark.parametrize(
    ("command", "option"), [*NUMBERS, ("tune", "workers")], ids=lambda text: text
)
def test_an_option_that_is_too_large_a_number_is_named(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    words = [word for word in COMMANDS[command] if word not in ("--wait", "0")]
    for value in (HUGE, "inf", "1e300", "99999999999"):
        assert name_of(option) in refused(capsys, *words, f"--{option}", value)


@pytest.mark.parametrize(
    "command", ["tune", "worker", "fit", "show", "report", "export", "spaces", "rules"]
)
def test_a_file_or_a_name_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for value in (*NO_TEXTS.values(), *LONG.values(), "none"):
        refused(capsys, command, value)


@pytest.mark.parametrize(
    ("command", "option"), [pair for pair in TEXTS if pair[1] in ("out", "to", "study")]
)
def test_a_name_too_long_for_the_disk_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    ending = ".csv" if command == "export" else ""
    for value in LONG.values():
        assert option in refused(capsys, *COMMANDS[command], f"--{option}", value + ending)


@pytest.fixture
def odd(project: Path) -> Iterator[Path]:
    """Names of what is no file: pipe, socket, device, folder, links to nothing and in a circle."""
    os.mkfifo(project / "pipe")
    (project / "folder").mkdir()
    (project / "zero").symlink_to("/dev/zero")
    (project / "nothing").symlink_to("none")
    (project / "loop").symlink_to("loop")
    with (project / "large").open("wb") as file:
        file.truncate(50_000_000)
    (project / "bytes").write_bytes(b"tune: \xff\xfe")
    (project / "wide").write_text("tune: {}", "utf-16")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket")  # (a whole path may be too long)
        yield project


ODD = ["pipe", "socket", "zero", "folder", "nothing", "loop", "large", "bytes", "wide", "c.yaml/x"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", ["tune", "worker", "fit"])
def test_a_config_that_is_no_file_of_text_is_refused(
    capsys: pytest.CaptureFixture[str], odd: Path, command: str, name: str
) -> None:
    assert name in refused(capsys, command, name)


@pytest.mark.parametrize("name", ODD)
def test_a_space_that_is_no_file_of_text_is_refused(odd: Path, name: str) -> None:
    if "/" not in name:
        (odd / name).rename(odd / f"{name}.yaml")
    with pytest.raises(ConfigError) as caught:
        read_config({"tune": {"space": f"{name}.yaml"}})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["c.yaml", "pipe", "socket", "zero", "nothing", "loop", "c.yaml/x"]
)
@pytest.mark.parametrize(
    ("command", "option"), [pair for pair in TEXTS if pair[1] in ("out", "to")]
)
def test_what_cannot_be_a_folder_or_a_file_is_left_alone(
    capsys: pytest.CaptureFixture[str], odd: Path, command: str, option: str, name: str
) -> None:
    if command == "export" and "/" not in name:
        if name in ("c.yaml", "nothing", "zero"):
            pytest.skip("a file, a link to one that is not there yet, a device")
        (odd / name).rename(odd / f"{name}.csv")
        name = f"{name}.csv"
        if name == "loop.csv":
            (odd / "loop").symlink_to("loop.csv")
    assert name in refused(capsys, *COMMANDS[command], f"--{option}", name)
    assert (odd / name).is_symlink() or not (odd / name).is_dir()


KEYS = ["space", "monitor", "mode", "trials", "timeout", "workers", "trials_per_gpu",
        "trial_timeout", "engine", "listen", "objective", "pruner", "sampler", "storage", "study",
        "out", "pruner.name", "pruner.eta", "pruner.min_steps", "pruner.pause",
        "nope"]  # fmt: skip
VALUES = ["''", "' '", '"\\0"', '"\\ud800"', '"a\\nb"', "[]", "[[]]", "{}", "{a: 1}", ".nan",
          ".inf", "-.inf", "-1", HUGE, "0x" + "f" * 5000, "1e400", "!!int ''", "!!float ''",
          "!!int 'x'",
          "!!bool 'x'", "!!timestamp 2020-01-01", "!!binary ''", "!!python/name:os.system ''",
          "!!set {a}", "!x y", "{a: 1, a: 2}", "&a [*a]", "{1: 2}", "{[1]: 2}", "{<<: 1}", "*none",
          "[" * 3000, "[" * 60 + "]" * 60, "{a: " * 60 + "1" + "}" * 60]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_the_section_takes_no_value_of_another_kind(
    capsys: pytest.CaptureFixture[str], project: Path, key: str
) -> None:
    section, _, inner = key.partition(".")
    for value in VALUES:
        written = f"{section}: {{{inner}: {value}}}" if inner else f"{key}: {value}"
        (project / "c.yaml").write_text(f"tune:\n  {written}\n")
        assert refused(capsys, "tune", "c.yaml", "--dry-run"), written


@pytest.mark.parametrize(
    "key", ["lr", "schedule", "warmup", "rule", "lr.low", "lr.high", "lr.log", "lr.type", "lr.when",
            "lr.choices", "width"]
)  # fmt: skip
def test_a_space_with_such_a_value_is_read_or_refused_in_one_line(project: Path, key: str) -> None:
    name, _, inner = key.partition(".")
    forms = {"low": "high: 1", "high": "low: 0.1", "choices": ""}
    others = forms.get(inner, "low: 0.1, high: 1")
    for value in VALUES:
        written = f"{name}: {{{inner}: {value}, {others}}}" if inner else f"{name}: {value}"
        (project / "space.yaml").write_text(written)
        try:
            read_config({"tune": {"space": "space.yaml"}})
        except ConfigError as error:
            assert "\n" not in str(error), written  # noqa: PT017  (some of them work)
            assert len(str(error)) < 1000, written  # noqa: PT017


@pytest.mark.parametrize("value", ["-1", "1.5", "'1'", HUGE, str(2**32), ".nan", "[1]", "{}"])
def test_a_seed_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], project: Path, value: str
) -> None:
    (project / "c.yaml").write_text(f"seed_everything: {value}\ntune: {{study: line}}\n")
    refused(capsys, "tune", "c.yaml")


def test_aliases_that_stand_for_billions_are_refused(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    (project / "c.yaml").write_text("\n".join(lines))
    assert "100000 values" in refused(capsys, "tune", "c.yaml")


def test_a_full_disk_leaves_the_table_that_was_there(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    (project / "full.csv").symlink_to("/dev/full")
    message = refused(capsys, "export", "line", "--to", "full.csv", status=4)
    assert "full.csv" in message
    assert "No space left" in message
    (project / "old.csv").write_text("old")
    (project / "old.csv.new").symlink_to("/dev/full")
    assert "No space left" in refused(capsys, "export", "line", "--to", "old.csv", status=4)
    assert (project / "old.csv").read_text() == "old"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["show"], ["show", "line", "--json"], ["rules"]])
def test_an_output_that_is_full_or_closed_is_no_traceback(project: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "autolr", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert done.stderr == "autolr: error: cannot use the output: No space left on device\n"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_studies_of_other_tools_are_shown_or_left_out_with_a_line(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    storage = "sqlite:///autolr.db"
    plain = optuna.create_study(storage=storage, study_name="my study/1\n")
    plain.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    odd = {"found": "x", "metrics": 5, "steps": "y", "bracket": [1], "seconds": "z"}
    wild = optuna.create_study(storage=storage, study_name="wild")
    for key in ("fingerprint", "folder", "driver", "id"):
        wild.set_user_attr(key, {"objective": 5, "monitor": [1]})
    wild.add_trial(optuna.trial.create_trial(value=1.0, user_attrs=odd))
    optuna.create_study(storage=storage, study_name="three", directions=["minimize"] * 3)
    capsys.readouterr()
    assert main(["show"]) == 0
    shown = capsys.readouterr()
    assert [name for name in ("line", "my study/1", "wild") if name not in shown.out] == []
    assert shown.err.count("\n") == 1
    assert "study 'three' is skipped: " in shown.err
    assert main(["show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["study"] == "line"
    assert main(["show", "wild"]) == 0
    assert main(["export", "wild"]) == 0
    assert main(["report", "wild", "--to", "page"]) == 0
    assert "three" in refused(capsys, "show", "three", status=4)
    assert "three" in refused(capsys, "report", "three", status=4)
    assert "three" in refused(capsys, "export", "three", status=4)


READ = """
import os, sys
from autolr.cli import main

file = sys.argv[1]
assert not os.access(file, os.W_OK)
report = ["report", "line", "--to", "page"]
for words in (["show"], ["show", "line"], report, ["export", "line"]):
    assert main([*words, "--storage", "sqlite:///" + file]) == 0, words
print("read")
"""
# root may write anywhere until it has no capabilities; another user may not import what lies here
POWERLESS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []


@pytest.mark.slow
@pytest.mark.parametrize("open_elsewhere", [True, False])
def test_a_database_that_may_not_be_written_is_read(
    open_elsewhere: bool,
) -> None:
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as writable:
        folder = Path(place)
        handle = open_study(f"sqlite:///{folder}/runs.db", "line")
        handle.complete(handle.ask(), 0.5, {"steps": 3})
        if not open_elsewhere:
            handle.close()
        assert (folder / "runs.db-wal").exists() == open_elsewhere  # what is written last
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        command = [*POWERLESS, sys.executable, "-c", READ, str(folder / "runs.db")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=writable)
        assert done.stdout.endswith("read\n"), done
        assert "Traceback" not in done.stderr
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        assert "0.5" in (Path(writable) / "trials.csv").read_text()
        handle.close()
        folder.chmod(0o755)


@pytest.mark.parametrize("cell", ["=1+1", "+x", "-x", "@x", "\t=1", "\r=1", "-1+1", "=", "\uff1d1"])
def test_a_cell_that_programs_take_for_a_formula_is_quoted(project: Path, cell: str) -> None:
    study = optuna.create_study(storage="sqlite:///autolr.db", study_name="cells")
    choice = optuna.distributions.CategoricalDistribution([cell])
    metrics = {cell: 1.0, "loss": -1.5}
    study.add_trial(
        optuna.trial.create_trial(
            value=-0.5,
            params={"activation": cell, "text": "-1e-3"},
            distributions={
                "activation": choice,
                "text": optuna.distributions.CategoricalDistribution(["-1e-3"]),
            },
            user_attrs={"reason": cell, "metrics": metrics},
        )
    )
    assert main(["export", "cells", "--to", "a.csv"]) == 0
    assert main(["export", "cells", "--to", "a.parquet"]) == 0
    (row,) = pd.read_csv("a.csv", dtype=str).to_dict("records")
    assert row["activation"] == row["reason"] == f"'{cell}"
    assert (row["value"], row["loss"], row["text"], row[f"'{cell}"]) == (
        "-0.5",
        "-1.5",
        "-1e-3",
        "1.0",
    )
    (row,) = pd.read_parquet("a.parquet").to_dict("records")
    assert row["activation"] == row["reason"] == cell


def test_a_parquet_file_of_mixed_values_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = optuna.create_study(storage="sqlite:///autolr.db", study_name="mixed")
    choice = optuna.distributions.CategoricalDistribution([1, "auto"])
    for value in (1, "auto"):
        chosen = {"width": value}
        study.add_trial(
            optuna.trial.create_trial(value=1.0, params=chosen, distributions={"width": choice})
        )
    capsys.readouterr()
    assert ".csv can" in refused(capsys, "export", "mixed", "--to", "a.parquet")
    assert main(["export", "mixed"]) == 0


@pytest.mark.parametrize("name", ODD)
def test_a_result_that_is_no_file_of_ours_is_refused(odd: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_result(odd / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "5", "null", "{}", "[" * 9000, '{"peak": {}}'])
def test_a_result_of_other_content_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ConfigError, match=r"result\.json"):
        load_result(tmp_path)
