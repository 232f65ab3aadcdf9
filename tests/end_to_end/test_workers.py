"""Studies with workers, processes of their own."""

import re
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

CLOCKED = ["seconds"]


def states(project: Any) -> list[str]:
    with sqlite3.connect(project.folder / "runs.db") as database:
        return [row[0] for row in database.execute("SELECT state FROM trials ORDER BY number")]


def trials(project: Any) -> Any:
    return pd.read_csv(project.folder / "autolr_runs/line/trials.csv")


@pytest.mark.slow
def test_of_simultaneous_starts_one_runs_and_the_others_name_it(project: Any) -> None:
    commands = [project.start("tune", "tune.yaml", "--trials", 1, PAUSE="0.1") for _ in range(6)]
    finished = [command.wait() for command in commands]
    assert sorted(one.status for one in finished) == [0, 4, 4, 4, 4, 4]
    (winner,) = (c.pid for c, one in zip(commands, finished, strict=True) if one.status == 0)
    for one in finished:
        assert one.status == 0 or f"in use by process {winner} on" in one.err
    assert states(project) == ["COMPLETE"]


@pytest.mark.slow
def test_two_workers_finish_a_study_each_with_devices_of_its_own(project: Any) -> None:
    project.change_model(
        (
            "time.sleep",
            "print('devices', os.environ.get('CUDA_VISIBLE_DEVICES'))\n        time.sleep",
        )
    )
    command = project.start("tune", "tune.yaml", "--workers", "auto", AUTOLR_DEVICES="3,5")
    finished = command.wait()
    assert finished.status == 0, finished
    assert set(states(project)) <= {"COMPLETE", "PRUNED"}
    assert len(states(project)) == 4
    folder = project.folder / "autolr_runs/line"
    seen = [
        set(re.findall("devices (.*)", (folder / f"worker_{n}.log").read_text())) for n in (0, 1)
    ]
    assert [one or {d} for one, d in zip(seen, "35", strict=True)] == [{"3"}, {"5"}]


@pytest.mark.slow
def test_a_signal_has_the_trials_of_workers_written_down(project: Any) -> None:
    command = project.start("tune", "tune.yaml", "--workers", 2, PAUSE="0.1")
    command.wait_for("trial 1 starts")
    time.sleep(2)
    began = time.monotonic()
    command.send(signal.SIGINT)
    finished = command.wait()
    assert time.monotonic() - began < 5
    assert finished.status == 130, finished
    assert set(states(project)) <= {"COMPLETE", "WAITING"}
    written = list((project.folder / "autolr_runs/line").glob("trial_*/rung.ckpt"))
    assert written
    resumed = project.tune("--workers", 2)
    assert set(states(project)) <= {"COMPLETE", "PRUNED"}
    assert "starts again" in resumed.out
    steps = trials(project).query("state == 'COMPLETE'")["steps"]
    assert (steps.drop(0, errors="ignore") == 48).all()  # the first one had rivals


_FAULTS = """
        attempt = len(list(Path().glob("attempt_*")))
        if attempt < 3:
            Path(f"attempt_{attempt}").touch()
        if attempt == 0:
            Path("child").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
            time.sleep(600)
        if attempt == 1:
            os.abort()
        if attempt == 2:
            raise ValueError("no luck")
"""


def is_dead(pid: int) -> bool:
    """Return whether a process is gone, or a zombie whose parent has not waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.slow
def test_a_trial_that_hangs_crashes_or_raises_is_tried_three_times_and_leaves_nothing_running(
    project: Any,
) -> None:
    project.configure({"tune/pruner": "none", "tune/trial_timeout": 8, "tune/trials": 1})
    head = "time.sleep(float"
    project.change_model(
        ("import os\n", "import os\nimport subprocess\nfrom pathlib import Path\n"),
        (head, f"{_FAULTS.strip()}\n        {head}"),
    )
    finished = project.tune()
    failures = [line for line in finished.out.splitlines() if line.startswith("trial 0 failed")]
    reasons = ["no end within trial_timeout, 8 s", "it was ended by SIGABRT", "no luck"]
    assert len(failures) == 3
    assert all(reason in line for reason, line in zip(reasons, failures, strict=True))
    table = trials(project)
    assert table["state"].tolist() == ["FAIL", "COMPLETE"]
    assert "no luck" in table["reason"][0]
    assert is_dead(int((project.folder / "child").read_text()))


@pytest.mark.slow
def test_two_runs_and_a_renamed_study_have_the_same_trials(project: Any) -> None:
    tables = []
    for name in ("one", "other"):
        project.tune("--trials", 8, "--study", name, "--out", name)
        tables.append(pd.read_csv(project.folder / name / "trials.csv").drop(columns=CLOCKED))
    pd.testing.assert_frame_equal(tables[0], tables[1])


_CHAOS = f"""
import sys
from pathlib import Path

sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from examples.scale.chaos import Chaos, write_project

chaos = Chaos(Path(), workers=2)
write_project(chaos.folder, trials=8)
chaos.run(kills=4)
chaos.check(8)
assert max(chaos.orphaned + chaos.freed) < 2
"""


@pytest.mark.slow
def test_kill_9_of_workers_and_drivers_loses_nothing(project: Any) -> None:
    (project.folder / "chaos.py").write_text(_CHAOS, "utf-8")
    finished = project.run(script="chaos.py")
    assert finished.status == 0, finished


@pytest.mark.slow
def test_a_full_disk_ends_the_study_and_fails_no_trial(project: Any) -> None:
    trial = project.folder / "autolr_runs/line/trial_1"
    trial.mkdir(parents=True)
    (trial / "job.json").symlink_to("/dev/full")
    finished = project.run("tune", "tune.yaml", "--workers", 2)
    assert finished.status == 4, finished
    assert finished.err.endswith("trial_1: No space left on device\n")
    assert finished.err.count("\n") == 1
    assert "fails" not in finished.out
    project.tune("--workers", 2)  # the link is gone
    assert not list(project.folder.glob("autolr_runs/line/**/job.json"))
    table = pd.read_csv(project.folder / "autolr_runs/line/trials.csv")
    assert set(table["state"]) <= {"COMPLETE", "PRUNED"}
