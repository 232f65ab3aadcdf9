"""Studies of a Python function in scripts: killed, resumed, with workers."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = """\
import os
import sys
import time

import autolr

SPACE = {"lr": {"low": 0.001, "high": 0.5, "log": True}, "power": [2, 4]}


def objective(trial):
    print("begun", trial.number, flush=True)
    x, step = trial.load() or (1.0, 0)
    while step < trial.max_steps:
        while step < trial.stop_at:
            x *= 1 - trial.rate(step)
            step += 1
            time.sleep(float(os.environ["PAUSE"]))
        trial.save((x, step))
        trial.report(abs(x) ** trial.settings.power, step)
    print("loaded", sorted({"torch", "lightning"} & set(sys.modules)))
    return abs(x) ** trial.settings.power


if __name__ == "__main__":
    result = autolr.tune(
        objective, SPACE, max_steps=27, trials=9, mode="min", workers=int(sys.argv[1])
    )
    print("finished", result.finished, result.interrupted)
"""
CLOCKED = ["seconds"]


def started(folder: Path, workers: int = 1, pause: float = 0.0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "study.py", str(workers)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PAUSE": str(pause)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(folder: Path, workers: int = 1, status: int = 0) -> str:
    process = started(folder, workers)
    out, err = process.communicate(timeout=240)
    assert process.returncode == status, out + err
    return out + err


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "study.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "study.py").write_text(SCRIPT)
    return folder


def trials(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "autolr_runs/autolr/trials.csv")
    unclocked: pd.DataFrame = table.drop(columns=CLOCKED)
    return unclocked


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_ends_as_one_that_is_not(
    script: Path, whole: Path
) -> None:
    finished(whole)
    moments = random.Random(0)
    kills = 0
    while kills < 8:
        process = started(script, pause=0.02)
        time.sleep(1 + 2 * moments.random())
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    assert kills > 1
    finished(script)
    expected, result = trials(whole), trials(script)
    pd.testing.assert_frame_equal(result[expected.columns], expected)


@pytest.mark.slow
def test_a_signal_pauses_the_trial_and_the_same_script_resumes_it(
    script: Path, whole: Path
) -> None:
    process = started(script, pause=0.05)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun 0\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert re.search(r"^finished [0-8] 2$", out, re.M)
    resumed = finished(script)
    assert "finished 9 None" in resumed
    expected = finished(whole)
    assert "finished 9 None" in expected
    pd.testing.assert_frame_equal(trials(script)[trials(whole).columns], trials(whole))


@pytest.mark.slow
def test_two_workers_import_the_function_of_a_script(script: Path) -> None:
    assert "finished 9" in finished(script, workers=2)
    logs = [(script / f"autolr_runs/autolr/worker_{n}.log").read_text() for n in (0, 1)]
    lines = {line for log in logs for line in log.splitlines() if line.startswith("loaded")}
    assert lines == {"loaded []"}


@pytest.mark.slow
def test_a_script_without_its_guard_says_what_to_do(script: Path) -> None:
    text = SCRIPT.replace('if __name__ == "__main__":', "if True:")
    (script / "study.py").write_text(text)
    said = finished(script, workers=2, status=1)
    last = said.strip().splitlines()[-1]
    assert "ConfigError" in last
    assert re.search('call it under `if __name__ == "__main__":`', last)


@pytest.mark.slow
def test_a_function_of_an_interactive_session_is_called_in_it_only(tmp_path: Path) -> None:
    program = """\
import autolr
def objective(trial): return trial.settings.x
print(autolr.tune(objective, {"x": 1}, trials=2, mode="min").best[0].value)
autolr.tune(objective, {"x": 1}, trials=2, mode="min", study="b", workers=2)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "1.0\n"
    assert "objective.function must be one that workers can import" in done.stderr
