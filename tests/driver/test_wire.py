"""Messages of drivers and workers as JSON."""

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.config import read_config
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
    Remark,
    Scored,
    StudyOver,
    ToWorker,
    TrainTrial,
)
from autolr.driver.wire import WireError, from_json, to_json
from autolr.job import Decision, PeakSearch, TrialJob, TrialResult
from autolr.memory import RunBytes

CONFIG = read_config(
    {
        "seed_everything": 7,
        "trainer": {"accumulate_grad_batches": {4: 2}, "gradient_clip_val": math.inf},
        "model": {"class_path": "line.Line", "init_args": {"name": "\u2028 é", "none": None}},
        "tune": {
            "space": {
                "lr": {"low": 1e-5, "high": 0.1, "log": True},
                "schedule": ["linear", "wsd"],
                "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
                "model.init_args.width": {"low": 4, "high": 8, "type": "int"},
            },
            "objective": ["val_loss", "cost"],
            "storage": "postgresql+psycopg://me:secret@host/runs",
            "out": "results",
            "timeout": 5,
            "safe_globals": ["line.Setting"],
        },
    }
)
CANDIDATE = Candidate(
    "sps_max",
    0.1 + 0.2,
    schedules.warmup(0.1) | schedules.cosine(),
    (("model.x", 1e-7),),
    (("c", 0.5),),
)
SEARCHING = TrialJob(
    CONFIG, CANDIDATE, Path("results/trial_0"), (5,), 45, search=PeakSearch((1e-4, 1.0), True, 0.1)
)
FOUND = TrialResult(0.5, {}, 60, 45, peak=0.1, schedule=schedules.wsd(cooldown=0.4), searched=True)
JOB = TrialJob(CONFIG, CANDIDATE, Path("results/trial_3"), (5, 15), 45, (5,), False, "id 3")
OUTCOME = TrialResult(math.nan, {"val_loss": math.inf, "acc": 1.0}, 45, 45, 1.5, None, True, False)
TO_WORKER: list[ToWorker] = [
    CheckConfig(CONFIG, Path("results")),
    TrainTrial(JOB),
    TrainTrial(SEARCHING),
    Answer(Decision.PAUSE),
    LeaveTrial(),
    StudyOver(),
]
FROM_WORKER: list[FromWorker] = [
    Ready(),
    Checked(45),
    Checked(45, memory=RunBytes(8, 4, 4, None, rivals=3)),
    Scored(5, -math.inf),
    Remark("a line"),
    Done(OUTCOME),
    Done(FOUND),
    Done(replace(OUTCOME, value=1 / 3, peak=0.1, paused=True)),
    Failed("StorageError", "a full disk"),
    Lost("gone", own_fault=True),
]


@pytest.mark.parametrize(
    ("message", "expected"),
    [(m, ToWorker) for m in TO_WORKER] + [(m, FromWorker) for m in FROM_WORKER],
    ids=lambda value: type(value).__name__,
)
def test_a_message_comes_out_as_it_went_in(message: Any, expected: Any) -> None:
    result, other = from_json(to_json(message, message), expected)
    assert repr(result) == repr(other)
    assert type(result) is type(message)
    assert repr(result) == repr(_without_storage(message))  # NaN is not equal to itself


def _without_storage(message: Any) -> Any:
    """Return what arrives: a worker needs no storage, and the path of the results is a string."""
    tune = CONFIG.tune.override(storage="sqlite:///autolr.db")
    config = replace(CONFIG, tune=tune)
    match message:
        case CheckConfig():
            return replace(message, config=config)
        case TrainTrial():
            return TrainTrial(replace(message.job, config=config))
    return message


def test_no_password_of_a_storage_is_sent_or_written() -> None:
    for message in TO_WORKER:
        assert b"secret" not in to_json(message)


def changed(message: Any, change: Callable[[dict[str, Any]], object]) -> bytes:
    (sent,) = json.loads(to_json(message))
    change(sent)
    return json.dumps([sent]).encode()


class Planted:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 10_000,
        b"null",
        b"[1]",
        b'{"message": "Ready", "fields": {}}',
        b'[{"message": "Ready"}]',
        b'[{"message": "Ready", "fields": {}, "more": 1}]',
        b'[{"message": ["Ready"], "fields": {}}]',
        b'[{"message": "StudyOver", "fields": {}}]',  # no worker says that
        b'[{"message": "Path", "fields": {}}]',
        b'[{"message": "Ready", "fields": {"autolr: pairs": [[1, 2, 3]]}}]',
        b'[{"message": "Ready", "fields": {"autolr: pairs": [[[], 2]]}}]',
        changed(Checked(3), lambda sent: sent["fields"].clear()),
        changed(Checked(3), lambda sent: sent["fields"].update(run_steps="3")),
        changed(Checked(3), lambda sent: sent["fields"].update(run_steps=True)),
        changed(Checked(3), lambda sent: sent["fields"].update(run_steps=3.0)),
        changed(Checked(3), lambda sent: sent["fields"].update(more=3)),
        changed(Scored(3, 1.0), lambda sent: sent["fields"].update(score=None)),
        changed(Scored(3, 1.0), lambda sent: sent["fields"].update(score=10**400)),
        changed(Done(OUTCOME), lambda sent: sent["fields"]["outcome"].update(metrics=[1.0])),
        changed(Done(OUTCOME), lambda sent: sent["fields"]["outcome"].update(metrics={"a": "b"})),
        changed(Failed("StorageError", ""), lambda sent: sent["fields"].update(kind="ClassVar")),
        changed(Failed("StorageError", ""), lambda sent: sent["fields"].update(kind="no such")),
        pickle.dumps(Planted()),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_what_no_worker_says_is_refused_and_runs_nothing(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WireError) as refused:
        from_json(data, FromWorker)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data",
    [
        to_json(Ready()),
        changed(Answer(Decision.CONTINUE), lambda sent: sent["fields"].update(decision="run")),
        changed(
            Answer(Decision.CONTINUE), lambda sent: sent["fields"].update(decision=["continue"])
        ),
        changed(TrainTrial(JOB), lambda sent: sent["fields"]["job"].update(rungs=5)),
        changed(TrainTrial(JOB), lambda sent: sent["fields"]["job"].update(folder="a\0b")),
        changed(TrainTrial(JOB), lambda sent: sent["fields"]["job"].update(folder=None)),
        changed(TrainTrial(JOB), lambda sent: sent["fields"]["job"].update(candidate={"x": 1})),
        changed(TrainTrial(JOB), lambda sent: sent["fields"]["job"].update(candidate=[])),
        changed(CheckConfig(CONFIG, Path()), lambda sent: sent["fields"]["config"].pop("seed")),
        changed(CheckConfig(CONFIG, Path()), lambda sent: sent["fields"]["config"].update(fit=[])),
        changed(
            CheckConfig(CONFIG, Path()), lambda sent: sent["fields"]["config"].update(space={})
        ),
        changed(
            CheckConfig(CONFIG, Path()), lambda t: t["fields"]["config"]["tune"].update(mode="up")
        ),
        changed(
            CheckConfig(CONFIG, Path()), lambda t: t["fields"]["config"]["tune"].update(more=1)
        ),
    ],
    ids=lambda data: repr(data[-60:]),
)
def test_what_no_driver_says_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        from_json(data, ToWorker)
