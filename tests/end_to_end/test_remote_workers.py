"""`autolr worker`: processes that come to a driver, leave it, die, and outlive it."""

import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import AuthenticationError
from pathlib import Path

import pytest

import autolr
from autolr.console import ConsoleProgress
from autolr.driver import Event, WorkerLost, WorkersAwaited, handshake
from autolr.driver.channel import ready
from autolr.driver.endpoint import Endpoint
from autolr.driver.messages import Lost, Ready, StudyOver
from autolr.driver.remote_engine import RemoteEngine
from autolr.study import look
from tests.end_to_end.conftest import CONFIG, Command, Project

_OPEN = ["tune", "tune.yaml", "--engine", "remote", "--workers", "auto", "--listen", "127.0.0.1"]


def test_only_who_knows_the_key_is_let_in(tmp_path: Path) -> None:
    engine = RemoteEngine(tmp_path, "127.0.0.1")
    engine.start(0)
    endpoint = Endpoint.read(tmp_path)
    assert endpoint is not None
    assert (tmp_path / "driver.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AuthenticationError):
        replace(endpoint, key="guessed").enter()
    with endpoint.enter() as channel:
        channel.send(Ready())
        assert first_message(engine) == (0, Ready())
    assert first_message(engine) == (0, Lost("its connection broke", own_fault=False))
    engine.close()
    assert Endpoint.read(tmp_path) is None


def test_a_worker_that_leaves_before_it_said_a_word_is_replaced_by_the_next(
    tmp_path: Path,
) -> None:
    engine = RemoteEngine(tmp_path, "127.0.0.1")
    engine.start(0)
    engine.send(0, StudyOver())  # before anybody has come
    endpoint = Endpoint.read(tmp_path)
    assert endpoint is not None
    for last_word in (None, Lost("it was shut down", own_fault=False), Ready()):
        with endpoint.enter() as channel:
            while not ready([channel], 0.0):
                assert engine.poll(0.01) == []
            assert channel.receive() == [StudyOver()]
            if last_word is not None:
                channel.send(last_word)
    assert first_message(engine) == (0, Ready())
    engine.close()
    left = Endpoint.read(tmp_path)
    assert left is not None
    assert left.over


def test_an_endpoint_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait to be accepted
        with pytest.raises(TimeoutError):
            Endpoint("127.0.0.1", silent.getsockname()[1], "key").enter()
        silent.accept()[0].close()
        with ThreadPoolExecutor() as visitor:
            entered = visitor.submit(Endpoint("127.0.0.1", silent.getsockname()[1], "key").enter)
            with silent.accept()[0] as stranger:
                stranger.sendall(b"hello" * 10)
                assert isinstance(entered.exception(), AuthenticationError)


def test_who_knocks_and_says_nothing_is_sent_away_and_who_is_known_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "WITHIN", 0.2)
    engine = RemoteEngine(tmp_path, "127.0.0.1")
    engine.start(0)
    endpoint = Endpoint.read(tmp_path)
    assert endpoint is not None
    with (
        endpoint.enter() as channel,
        socket.create_connection((endpoint.host, endpoint.port), 5) as knocking,
    ):
        assert knocking.recv(256)
        assert knocking.recv(256) == b""
        assert engine.poll(0.1) == []
        channel.send(Ready())
        assert first_message(engine) == (0, Ready())
        threading.Timer(0.3, engine.send, [0, StudyOver()]).start()
        assert next(channel.messages()) == StudyOver()
    engine.close()


def first_message(engine: RemoteEngine) -> tuple[int, object]:
    while not (heard := engine.poll(1.0)):
        pass
    (message,) = heard
    return message


def test_a_study_with_remote_workers_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Left(BaseException):
        """The end of a driver that has said enough."""

    monkeypatch.chdir(tmp_path)
    progress = ConsoleProgress()

    def leave(event: Event) -> None:
        progress(event)
        if isinstance(event, WorkersAwaited):
            assert Endpoint.read(event.folder) is not None
            raise Left

    with pytest.raises(Left):
        autolr.tune(CONFIG, engine="remote", listen="127.0.0.1", listener=leave)
    progress(WorkerLost(1, "it was shut down", None))
    assert capsys.readouterr().out.splitlines() == [
        "checking the config ...",
        "waits for workers: autolr worker CONFIG "
        f"(they find the driver in {tmp_path}/autolr_runs/line)",
        "worker 1 is gone: it was shut down; another one may come",
    ]


_TORCHRUN = {
    **{"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
    **{"GROUP_RANK": "0", "ROLE_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"},
    **{"TORCHELASTIC_RUN_ID": "none", "SLURM_NTASKS": "2"},
}


@pytest.mark.slow
def test_a_worker_that_finds_no_driver_says_where_it_looked(project: Project) -> None:
    finished = project.run("worker", "tune.yaml", "--wait", "0.1")
    assert finished.status == 1
    assert "no driver in autolr_runs/line for 0.1 s" in finished.err


def come(project: Project, **environment: str) -> Command:
    pace = {"PAUSE": "0.05", **environment}
    worker = project.start("worker", "tune.yaml", "--wait", "60", **pace)
    worker.wait_for("waiting for the driver")
    return worker


@pytest.mark.slow
def test_a_study_is_trained_by_workers_that_come_before_it_and_die(project: Project) -> None:
    workers = [come(project), come(project, **_TORCHRUN)]  # no rank of a trial
    driver = project.start(*_OPEN)
    driver.wait_for("trial 1 starts")
    workers[0].send(signal.SIGKILL)
    finished = driver.wait()
    assert finished.status == 0, finished
    assert re.search(r"^worker \d is gone at trial \d: its connection broke", finished.out, re.M)
    last = workers[1].wait()
    assert last.status == 0, last
    assert "the study is complete" in last.out
    assert (project.folder / "autolr_runs/line/trial_3/metrics.jsonl").read_text()
    summary = look(f"sqlite:///{project.folder}/runs.db", "line")
    assert (summary.finished, summary.failed) == (4, 0)
    late = project.run("worker", "tune.yaml", "--wait", "0.1")
    assert (late.status, "the study is complete" in late.out) == (0, True)


@pytest.mark.slow
def test_a_worker_that_must_leave_hands_its_trial_back(project: Project) -> None:
    workers = [come(project) for _ in range(2)]
    driver = project.start(*_OPEN)
    driver.wait_for("after 16 steps")
    workers[0].send(signal.SIGTERM)
    assert workers[0].wait().status == 0
    finished = driver.wait()
    assert finished.status == 0, finished
    assert "is gone: it was shut down" in finished.out
    assert "is gone at trial" not in finished.out
    rungs = re.findall(r"^trial (\d+) after (\d+) steps", finished.out, re.M)
    assert rungs
    assert len(set(rungs)) == len(rungs)  # trials went on from where they were left


@pytest.mark.slow
def test_workers_outlive_their_driver(project: Project) -> None:
    worker = come(project)
    driver = project.start(*_OPEN)
    driver.wait_for("after 16 steps")
    driver.send(signal.SIGKILL)
    driver.wait()
    finished = project.run(*_OPEN)
    assert finished.status == 0, finished
    assert worker.wait().status == 0
