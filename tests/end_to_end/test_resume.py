"""A study that was interrupted is resumed; one that was made with other settings does not."""

import os
import pty
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

CLOCKED = ["seconds"]  # the columns of trials.csv that two equal runs do not share


def trials(project: Any) -> Any:
    return pd.read_csv(project.folder / "autolr_runs/line/trials.csv")


def states(project: Any) -> list[str]:
    """The state of each trial in the database, by number."""
    with sqlite3.connect(project.folder / "runs.db") as database:
        return [row[0] for row in database.execute("SELECT state FROM trials ORDER BY number")]


def forget(project: Any) -> None:
    for file in Path(project.folder).glob("runs.db*"):
        file.unlink()


@pytest.mark.slow
def test_two_trials_and_then_two_more_equal_four_at_once(project: Any) -> None:
    assert project.tune("--trials", 2).trained == [0, 1]
    assert project.tune("--trials", 4).trained == [2, 3]
    resumed = trials(project)
    forget(project)
    assert project.tune("--trials", 4).trained == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(
        resumed.drop(columns=CLOCKED), trials(project)[resumed.columns].drop(columns=CLOCKED)
    )


@pytest.mark.slow
def test_after_kill_9_the_cut_trial_is_run_again_and_no_other(project: Any) -> None:
    whole = project.tune().out
    wanted = trials(project)
    forget(project)
    command = project.start("tune", "tune.yaml", PAUSE="0.03")
    command.wait_for("trial 1 starts")
    command.send(signal.SIGKILL)
    assert command.wait().status == -signal.SIGKILL
    assert states(project) == ["COMPLETE", "RUNNING"]
    resumed = project.tune()
    assert resumed.trained == [1, 2, 3]
    assert "interrupted, to be resumed: trial 1" in resumed.out
    begun = next(line for line in whole.splitlines() if line.startswith("trial 1 starts"))
    assert begun.replace("starts", "starts again") in resumed.out
    assert set(states(project)) <= {"COMPLETE", "PRUNED"}
    pd.testing.assert_frame_equal(
        trials(project)[wanted.columns].drop(columns=CLOCKED), wanted.drop(columns=CLOCKED)
    )


@pytest.mark.slow
def test_after_kill_9_points_to_start_with_are_tried_once_and_a_small_space_to_its_end(
    project: Any,
) -> None:
    space = {"lr": [0.003, 0.03, 0.3], "schedule": ["linear", "wsd"]}
    start = [{"lr": 0.03}, {"lr": 0.03}, {"lr": 0.003, "schedule": "wsd"}]
    project.configure({"tune/space": space, "tune/start": start, "tune/trials": 9})
    whole = project.tune()
    assert "all 6 candidates of the space have been trained" in whole.out
    wanted = trials(project)
    assert wanted["lr"].tolist()[:3] == [0.03, 0.03, 0.003]
    forget(project)
    for number in (1, 2, 4):
        command = project.start("tune", "tune.yaml", PAUSE="0.03")
        command.wait_for(f"trial {number} starts")
        command.send(signal.SIGKILL)
        command.wait()
    assert project.tune().trained[-1] == 5
    pd.testing.assert_frame_equal(
        trials(project)[wanted.columns].drop(columns=CLOCKED), wanted.drop(columns=CLOCKED)
    )


@pytest.mark.slow
def test_after_kill_9_the_runs_of_a_trial_go_on_from_their_own_checkpoints(project: Any) -> None:
    project.configure({"tune/seeds": 2, "tune/trials": 3})
    project.tune()
    wanted = trials(project)
    assert wanted["spread"].notna().any()
    forget(project)
    for words in ("trial 0 after 16 steps", "trial 1 starts"):
        command = project.start("tune", "tune.yaml", PAUSE="0.05")
        command.wait_for(words)
        time.sleep(0.5)
        command.send(signal.SIGKILL)
        command.wait()
    assert project.tune().status == 0
    pd.testing.assert_frame_equal(
        trials(project)[wanted.columns].drop(columns=CLOCKED), wanted.drop(columns=CLOCKED)
    )


_SLOW = [pytest.param(signum, marks=pytest.mark.slow) for signum in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, *_SLOW])
def test_a_signal_ends_a_study_in_order(project: Any, signum: signal.Signals) -> None:
    command = project.start("tune", "tune.yaml", PAUSE="0.03")
    command.wait_for("trial 1 starts")
    command.send(signum)
    finished = command.wait()
    assert finished.status == 128 + signum
    assert "the same command resumes it" in finished.out
    assert "Traceback" not in finished.err
    assert states(project) == ["COMPLETE", "WAITING"]
    assert trials(project)["state"].tolist() == ["COMPLETE", "WAITING"]
    assert (project.folder / "autolr_runs/line/best.yaml").is_file()
    assert project.tune().trained == [1, 2, 3]
    assert set(states(project)) <= {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_a_second_signal_ends_the_process_but_not_an_echo_of_the_first(project: Any) -> None:
    project.change_model(("time.sleep", "print('a step', flush=True)\n        time.sleep"))
    command = project.start("tune", "tune.yaml", PAUSE="60")
    command.wait_for("a step")
    for seconds in (0.0, 0.1, 1.0):
        time.sleep(seconds)
        assert not (command.notes / "status").exists()
        command.send(signal.SIGINT)
    assert command.wait().status == -signal.SIGINT


@pytest.mark.slow
def test_a_terminal_that_is_closed_has_the_trial_written_down(project: Any) -> None:
    main, terminal = pty.openpty()
    command = project.start("tune", "tune.yaml", tty=os.ttyname(terminal), PAUSE="0.1")
    received = os.read(main, 1)  # the command has it open
    os.close(terminal)
    while b"continues" not in received:
        received += os.read(main, 65536)
    os.close(main)
    command.send(signal.SIGHUP)
    assert command.wait().status == 129
    assert "WAITING" in states(project)


@pytest.mark.slow
def test_a_signal_before_the_first_trial_leaves_no_study(project: Any) -> None:
    head = "def setup(self, stage):"
    project.change_model(
        (head, f"{head}\n        print('ready', flush=True)\n        time.sleep(5)")
    )
    command = project.start("tune", "tune.yaml")
    command.wait_for("ready")
    command.send(signal.SIGINT)
    finished = command.wait()
    assert finished.status == 130, finished
    assert finished.trained == []
    assert not (project.folder / "runs.db").exists()


def test_a_second_driver_reads_who_holds_the_study(project: Any) -> None:
    first = project.start("tune", "tune.yaml", PAUSE="0.03")
    first.wait_for("trial 0 starts")
    second = project.run("tune", "tune.yaml")
    assert second.status == 4
    assert f"process {first.pid} on " in second.err
    assert second.err.count("\n") == 1
    other = project.run("tune", "tune.yaml", "--study", "other", "--trials", 1)
    assert other.status == 0, other  # another study in the same database is free
    first.send(signal.SIGTERM)
    assert first.wait().status == 143


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model/init_args/width": 5}, "config.model.init_args.width"),
        ({"tune/space/warmup": 0.1}, "warmup was from 0.01 to 0.2 and is 0.1"),
        ({"seed_everything": 4}, "seed"),
        ({"tune/mode": "max"}, "mode"),
    ],
)
def test_a_study_made_with_other_settings_is_refused(
    project: Any, changes: dict[str, Any], named: str
) -> None:
    project.tune("--trials", 1)
    project.configure(changes)
    finished = project.run("tune", "tune.yaml")
    assert finished.status == 4
    assert finished.err.count("\n") == 1
    assert named in finished.err
    assert finished.trained == []


@pytest.mark.slow
def test_how_long_and_where_to_are_no_part_of_a_study(project: Any) -> None:
    project.tune("--trials", 1)
    project.configure({"tune/trials": 2, "tune/timeout": 100, "tune/out": "elsewhere"})
    assert project.tune().trained == [1]
    assert len(pd.read_csv(project.folder / "elsewhere/trials.csv")) == 2


@pytest.mark.slow
def test_fresh_forgets_the_study_but_only_for_a_config_that_works(project: Any) -> None:
    project.tune("--trials", 2)
    project.configure({"model/init_args/widht": 5})
    assert project.run("tune", "tune.yaml", "--fresh").status == 2
    assert states(project) == ["COMPLETE"] * 2
    project.configure({"model/init_args/width": 5})
    assert project.tune("--fresh", "--trials", 1).trained == [0]
    assert len(states(project)) == 1


def test_a_dry_run_trains_nothing_and_leaves_nothing(project: Any) -> None:
    before = sorted(path.name for path in project.folder.iterdir())
    finished = project.tune("--dry-run")
    assert "4 trials of 48 steps" in finished.out
    assert "the config works" in finished.out
    assert finished.trained == []
    after = {path.name for path in project.folder.iterdir()} - {"__pycache__", ".command_0"}
    assert sorted(after) == before


def test_a_timeout_ends_a_study_between_two_trials(project: Any) -> None:
    finished = project.tune("--timeout", "0.05")  # less than a trial takes
    assert finished.trained == [0]
    assert "1 of 4 trials finished; the same command resumes it" in finished.out
    assert states(project) == ["COMPLETE"]


@pytest.mark.slow
def test_a_complete_study_trains_nothing_and_writes_what_was_lost(project: Any) -> None:
    project.tune("--trials", 2)
    (project.folder / "autolr_runs/line/best.yaml").unlink()
    again = project.tune("--trials", 2)
    assert again.trained == []
    assert "is complete: 2 of 2 trials finished, nothing to train" in again.out
    assert (project.folder / "autolr_runs/line/best.yaml").is_file()
    assert "wrote" not in project.tune("--trials", 2).out
