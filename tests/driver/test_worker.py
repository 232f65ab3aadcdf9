"""A worker: what it answers to its driver's messages, and when it ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autolr.config import read_config
from autolr.driver.local import LocalEngine
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    Checked,
    Done,
    Failed,
    LeaveTrial,
    Lost,
    Ready,
    Remark,
    Scored,
    TrainTrial,
)
from autolr.job import Decision
from autolr.objective import modules_of
from autolr.testing.engine import config, job, next_message

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

REMARKING = """\
import os

from autolr.testing.counting import CountingObjective


class Remarking(CountingObjective):
    def run(self, job, judge, leave):
        judge.remark(os.environ["AUTOLR_JOB"])
        return super().run(job, judge, leave)
"""


@pytest.fixture(scope="module")
def process() -> Iterator[tuple["Connection[Any, Any]", "subprocess.Popen[bytes]"]]:
    """A worker that is ready, and the driver's end of its pipe."""
    ours, theirs = Pipe()
    with theirs:
        worker = subprocess.Popen(
            [sys.executable, "-m", "autolr.driver.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    assert received(ours) == Ready()
    yield ours, worker
    ours.close()
    assert worker.wait(10) == -signal.SIGKILL  # its driver is gone


@pytest.fixture
def pipe(
    process: tuple["Connection[Any, Any]", "subprocess.Popen[bytes]"],
) -> "Connection[Any, Any]":
    return process[0]


def received(pipe: "Connection[Any, Any]") -> object:
    assert pipe.poll(60), "no message came"
    return pipe.recv()


@pytest.mark.slow
def test_it_checks_with_the_objective_of_the_config(
    pipe: "Connection[Any, Any]", tmp_path: Path
) -> None:
    pipe.send(CheckConfig(config(steps=8), tmp_path))
    assert received(pipe) == Checked(8)


@pytest.mark.slow
def test_each_score_waits_for_its_answer(pipe: "Connection[Any, Any]", tmp_path: Path) -> None:
    pipe.send(TrainTrial(job(tmp_path)))
    assert received(pipe) == Scored(2, 1 / 2)
    assert not pipe.poll(0.2)
    pipe.send(Answer(Decision.CONTINUE))
    assert received(pipe) == Scored(4, 1 / 4)
    pipe.send(Answer(Decision.PAUSE))
    done = received(pipe)
    assert isinstance(done, Done)
    assert (done.outcome.paused, done.outcome.steps) == (True, 4)
    assert (tmp_path / "rung.ckpt").read_text() == "4"


@pytest.mark.slow
def test_an_error_has_its_traceback_in_the_trials_folder(
    pipe: "Connection[Any, Any]", tmp_path: Path
) -> None:
    pipe.send(TrainTrial(job(tmp_path / "trial_0", error="no data")))
    failed = received(pipe)
    assert isinstance(failed, Failed)
    assert failed.kind == "UserCodeError"
    assert "ValueError: no data" in (tmp_path / "trial_0/error.txt").read_text()


def test_other_ranks_have_the_job_in_a_file_while_it_is_done(
    pipe: "Connection[Any, Any]", tmp_path: Path
) -> None:
    (tmp_path / "remarking.py").write_text(REMARKING)
    made = job(tmp_path / "trial_0", rungs=())
    made.config.fit["objective"]["class_path"] = "remarking.Remarking"
    pipe.send(TrainTrial(replace(made, config=replace(made.config, folder=tmp_path))))
    assert received(pipe) == Remark(str(tmp_path / "trial_0/job.json"))
    assert isinstance(received(pipe), Done)
    assert not (tmp_path / "trial_0/job.json").exists()


def test_it_leaves_a_trial_that_is_being_trained_and_every_later_one(
    pipe: "Connection[Any, Any]", tmp_path: Path
) -> None:
    pipe.send(TrainTrial(job(tmp_path, rungs=(), steps=10_000, seconds=0.01)))
    pipe.send(LeaveTrial())
    done = received(pipe)
    assert isinstance(done, Done)
    assert done.outcome.paused


LOOKING = """\
import sys

LOADED = sorted({"lightning", "torch"} & set(sys.modules))

from autolr.testing.counting import CountingObjective


class Looking(CountingObjective):
    def run(self, job, judge, leave):
        judge.remark(str(LOADED))
        return super().run(job, judge, leave)
"""


@pytest.mark.slow
def test_a_worker_for_an_objective_in_plain_python_loads_neither_torch_nor_lightning(
    tmp_path: Path,
) -> None:
    (tmp_path / "looking.py").write_text(LOOKING)
    made = job(tmp_path / "trial_0", rungs=())
    made.config.fit["objective"]["class_path"] = "looking.Looking"
    tune = replace(made.config.tune, workers=2, out=tmp_path)
    wanted = replace(made.config, folder=tmp_path, tune=tune)
    engine = LocalEngine.place(wanted)
    assert engine is not None
    try:
        engine.start(0)
        assert next_message(engine, 0) == Ready()
        engine.send(0, TrainTrial(replace(made, config=wanted)))
        assert next_message(engine, 0) == Remark("[]")
    finally:
        engine.close()


@pytest.mark.slow
def test_a_worker_imports_the_modules_of_its_jobs_before_it_is_ready(tmp_path: Path) -> None:
    assert modules_of(read_config({"model": {}, "tune": {"space": {"lr": 0.1}}})) == (
        "autolr.objective.lightning_objective",
    )
    engine = LocalEngine([None], tmp_path, ["no_such_module"])
    try:
        engine.start(0)
        assert isinstance(next_message(engine, 0), Lost)
    finally:
        engine.close()
