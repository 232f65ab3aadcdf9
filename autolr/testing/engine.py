"""What every engine must do: a test class to inherit."""

import time
from pathlib import Path
from typing import Any

import pytest

from autolr.candidate import Candidate
from autolr.config import Config, read_config
from autolr.driver.engines import Engine
from autolr.driver.messages import (
    Answer,
    CheckConfig,
    Checked,
    Done,
    Failed,
    FromWorker,
    LeaveTrial,
    Lost,
    Ready,
    Scored,
    TrainTrial,
)
from autolr.job import Decision, TrialJob

_WITHIN = 60.0  # seconds for one message: a worker may import torch before its first
_QUIET = 0.5  # seconds without a message after which a worker counts as silent
_STEPS = 6  # of a run: some before, between and behind its rungs


class EngineContract:
    """Override the fixture ``engine``: it returns one of yours for two workers, not started.

    Experimental. The engine is closed after each test.
    """

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        """Return the engine that is tested."""
        raise NotImplementedError("override the fixture `engine`")

    @pytest.fixture(autouse=True)
    def _closed(self, engine: Engine) -> Any:
        yield
        engine.close()

    def test_a_worker_is_ready_before_anything_else(self, engine: Engine) -> None:
        engine.start(0)
        assert next_message(engine, 0) == Ready()

    def test_a_worker_checks_a_config(self, engine: Engine, tmp_path: Path) -> None:
        start(engine)
        engine.send(0, CheckConfig(config(), tmp_path))
        assert next_message(engine, 0) == Checked(_STEPS)

    def test_a_worker_trains_is_judged_and_sends_its_result(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        start(engine)
        engine.send(0, TrainTrial(job(tmp_path)))
        for rung in (2, 4):
            assert next_message(engine, 0) == Scored(rung, 1 / rung)
            engine.send(0, Answer(Decision.CONTINUE))
        done = next_message(engine, 0)
        assert isinstance(done, Done)
        assert (done.outcome.steps, done.outcome.paused) == (_STEPS, False)

    def test_a_paused_trial_is_resumed_by_another_worker(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        start(engine, 0, 1)
        engine.send(0, TrainTrial(job(tmp_path)))
        assert next_message(engine, 0) == Scored(2, 1 / 2)
        engine.send(0, Answer(Decision.PAUSE))
        done = next_message(engine, 0)
        assert isinstance(done, Done)
        assert (done.outcome.steps, done.outcome.paused) == (2, True)
        engine.send(1, TrainTrial(job(tmp_path, known=(2,))))
        assert next_message(engine, 1) == Scored(4, 1 / 4)

    def test_two_workers_train_at_the_same_time(self, engine: Engine, tmp_path: Path) -> None:
        start(engine, 0, 1)
        for worker in (0, 1):
            engine.send(worker, TrainTrial(job(tmp_path / str(worker))))
        scored = dict(engine_messages(engine, 2))
        assert scored == {0: Scored(2, 1 / 2), 1: Scored(2, 1 / 2)}

    def test_a_trial_is_left_when_the_study_ends(self, engine: Engine, tmp_path: Path) -> None:
        start(engine)
        engine.send(0, TrainTrial(job(tmp_path, steps=10_000, seconds=0.01)))
        assert isinstance(next_message(engine, 0), Scored)
        engine.send(0, Answer(Decision.CONTINUE))
        engine.send(0, LeaveTrial())
        done = next_message(engine, 0)
        while isinstance(done, Scored):  # the next rung may come first
            engine.send(0, Answer(Decision.CONTINUE))
            done = next_message(engine, 0)
        assert isinstance(done, Done)
        assert done.outcome.paused

    def test_an_error_of_the_objective_is_a_message(self, engine: Engine, tmp_path: Path) -> None:
        start(engine)
        engine.send(0, TrainTrial(job(tmp_path / "trial_0", error="no data")))
        failed = next_message(engine, 0)
        assert isinstance(failed, Failed)
        assert failed.kind == "UserCodeError"
        assert failed.reason.startswith("ValueError: no data")

    def test_a_worker_that_is_killed_is_silent_and_can_be_started_again(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        start(engine)
        engine.send(0, TrainTrial(job(tmp_path, rungs=(), steps=10_000, seconds=0.01)))
        engine.kill(0)
        engine.send(0, Answer(Decision.CONTINUE))  # dropped
        last = [message for _, message in engine.poll(_QUIET)]
        assert all(isinstance(message, Lost) for message in last)
        start(engine)
        engine.send(0, CheckConfig(config(), tmp_path))
        assert next_message(engine, 0) == Checked(_STEPS)

    def test_close_ends_all_workers(self, engine: Engine, tmp_path: Path) -> None:
        start(engine, 0, 1)
        engine.send(0, TrainTrial(job(tmp_path, rungs=(), steps=10_000, seconds=0.01)))
        engine.close()
        assert [engine.lease(worker) for worker in (0, 1)] == [None, None]


def start(engine: Engine, *workers: int) -> None:
    """Start workers, by default number 0, and wait until they are ready.

    Args:
        engine: Runs them.
        workers: Their numbers.
    """
    for worker in workers or (0,):
        engine.start(worker)
    messages = engine_messages(engine, len(workers or (0,)))
    assert dict(messages) == dict.fromkeys(workers or (0,), Ready())


def next_message(engine: Engine, worker: int) -> FromWorker:
    """Return the next message, which must be of the given worker.

    Args:
        engine: Runs the workers.
        worker: Who must send it.
    """
    ((sender, message),) = engine_messages(engine, 1)
    assert sender == worker
    return message


def engine_messages(engine: Engine, count: int) -> list[tuple[int, FromWorker]]:
    """Return the next messages of all workers.

    Args:
        engine: Runs the workers.
        count: How many messages must come.
    """
    received: list[tuple[int, FromWorker]] = []
    end = time.monotonic() + _WITHIN
    while len(received) < count:
        assert time.monotonic() < end, f"only {received} came in {_WITHIN:g} s"
        received += engine.poll(0.2)
    return received


def config(**arguments: object) -> Config:
    """Return the config of a study that only counts steps.

    Args:
        arguments: Of the `CountingObjective`.
    """
    path = "autolr.testing.counting.CountingObjective"
    section = {"class_path": path, "init_args": {"steps": _STEPS, **arguments}}
    return read_config({"objective": section, "tune": {"space": {"lr": [0.1, 0.01]}}})


def job(
    folder: Path, rungs: tuple[int, ...] = (2, 4), known: tuple[int, ...] = (), **arguments: object
) -> TrialJob:
    """Return a job of a trial that only counts steps.

    Args:
        folder: Of the trial.
        rungs: Where it is judged.
        known: Rungs whose scores the study has.
        arguments: Of the `CountingObjective`.
    """
    return TrialJob(config(**arguments), Candidate(peak=0.1), folder, rungs, _STEPS, known)
