"""A remote worker: how it reaches its driver, what it passes on, and when it leaves."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autolr.driver import run_worker
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    Checked,
    Done,
    Lost,
    Ready,
    Scored,
    StudyOver,
    TrainTrial,
)
from autolr.driver.remote_engine import RemoteEngine
from autolr.errors import AutoLRError, ConfigError
from autolr.job import Decision
from autolr.testing.engine import config, engine_messages, job

SOURCE: dict[str, Any] = {"tune": {"space": {"lr": [0.1, 0.01]}, "study": "counting"}}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RemoteEngine]:
    made = RemoteEngine(tmp_path, "127.0.0.1")
    made.start(0)
    yield made
    made.close()


def joined(folder: Path, lines: list[str]) -> threading.Thread:
    """Start a worker in a thread of this process; its trials are trained in another process."""
    settings: dict[str, Any] = {"out": folder, "wait": 60.0, "listener": lines.append}
    thread = threading.Thread(target=run_worker, args=(SOURCE,), kwargs=settings, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_it_does_what_its_driver_sends_until_the_study_is_over(
    engine: RemoteEngine, tmp_path: Path
) -> None:
    lines: list[str] = []
    worker = joined(tmp_path, lines)
    assert engine_messages(engine, 1) == [(0, Ready())]
    engine.send(0, CheckConfig(config(), tmp_path))
    assert engine_messages(engine, 1) == [(0, Checked(6))]
    engine.send(0, TrainTrial(job(tmp_path / "trial_0")))
    for rung in (2, 4):
        assert engine_messages(engine, 1) == [(0, Scored(rung, 1 / rung))]
        engine.send(0, Answer(Decision.CONTINUE))
    ((_, done),) = engine_messages(engine, 1)
    assert isinstance(done, Done)
    assert done.outcome.steps == 6
    engine.send(0, StudyOver())
    engine.close()
    worker.join(30)
    assert not worker.is_alive()
    assert lines == [f"waiting for the driver in {tmp_path}", "working", "the study is complete"]


@pytest.mark.slow  # it starts two processes that import torch
def test_it_connects_again_after_its_driver_has_dropped_it(
    engine: RemoteEngine, tmp_path: Path
) -> None:
    lines: list[str] = []
    worker = joined(tmp_path, lines)
    assert engine_messages(engine, 1) == [(0, Ready())]
    engine.kill(0)
    engine.start(0)
    assert engine_messages(engine, 1) == [(0, Ready())]
    assert lines.count("working") == 2
    engine.send(0, StudyOver())
    engine.close()
    worker.join(30)
    assert not worker.is_alive()


@pytest.mark.slow
def test_a_trainer_process_that_dies_is_reported_before_the_connection_ends(
    engine: RemoteEngine, tmp_path: Path
) -> None:
    worker = joined(tmp_path, [])
    assert engine_messages(engine, 1) == [(0, Ready())]
    engine.send(0, TrainTrial(job(tmp_path / "trial_0", rungs=(), steps=10_000, seconds=0.01)))
    path = tmp_path / "trial_0/job.json"
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        engine.poll(0.05)
    os.killpg(child_of(os.getpid()), 9)
    assert engine_messages(engine, 1) == [(0, Lost("it was ended by SIGKILL", own_fault=False))]
    engine.start(0)
    assert engine_messages(engine, 1) == [(0, Ready())]
    engine.send(0, StudyOver())
    engine.close()
    worker.join(30)


def child_of(parent: int) -> int:
    """Return the only worker that a process has started; other tests may have other children."""
    lists = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(pid) for file in lists for pid in file.read_text().split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    (child,) = (pid for pid, command in commands.items() if b"autolr.driver.worker" in command)
    return child


def test_no_driver_is_an_error_when_the_wait_is_over(tmp_path: Path) -> None:
    with pytest.raises(AutoLRError, match=r"no driver in .* for 0 s \(autolr tune --engine remote"):
        run_worker(SOURCE, wait=0.0, out=tmp_path)


def test_a_wait_that_is_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="wait must be 0 seconds or more, got -1"):
        run_worker(SOURCE, wait=-1.0)
