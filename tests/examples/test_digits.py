"""The real command on the digits example."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from autolr.cli import main

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "examples/digits/tune.yaml")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "autolr", *arguments]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )


@pytest.mark.slow
def test_digits_is_tuned_once_and_after_a_kill_continues(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        first = subprocess.Popen(
            command("tune", CONFIG), cwd=tmp_path, env=environment(), stdout=file, stderr=file
        )
    end = time.monotonic() + 60
    while "trial 1 starts" not in log.read_text():
        assert first.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()

    second = run(tmp_path, *command("tune", CONFIG))
    assert second.returncode == 0, second.stderr
    assert second.stderr == ""
    assert re.findall(r"^trial (\d+) starts again", second.stdout, re.M) == ["1"]
    assert "study 'digits' is complete: 15 of 15 trials finished" in second.stdout
    table = pd.read_csv(tmp_path / "autolr_runs/digits/trials.csv")
    assert table["number"].tolist() == list(range(15))
    assert set(table["state"]) <= {"COMPLETE", "PRUNED"}
    assert table["bracket"].nunique() >= 2
    assert {"train_loss", "val_loss", "val_acc"} <= set(table.columns)
    best = table.sort_values("value").iloc[0]
    assert best["val_acc"] >= 0.97
    for name in ("best.yaml", "schedule.json"):
        assert (tmp_path / "autolr_runs/digits" / name).is_file()

    imports = (sys.executable, "-X", "importtime", "-m", "autolr", "tune", CONFIG)
    again = run(tmp_path, *imports)
    assert again.returncode == 0
    assert "nothing to train" in again.stdout
    assert "starts" not in again.stdout
    loaded = set(re.findall(r"\| +([\w.]+)$", again.stderr, re.M))
    assert "autolr.driver" in loaded  # the list is there
    assert loaded.isdisjoint({"torch", "lightning"})


def test_the_digits_config_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status = main(["tune", CONFIG, "--dry-run"])
    shown = capfd.readouterr()
    assert (status, shown.err) == (0, "")
    assert "15 trials of 396 steps" in shown.out
    assert "the config works; nothing was trained" in shown.out
