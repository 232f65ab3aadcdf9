"""Strangers at a driver's port, and code planted where a driver or a worker reads."""

import hashlib
import json
import os
import pickle
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import pytest

from autolr.driver import handshake
from autolr.driver.endpoint import Endpoint
from autolr.driver.messages import Ready
from autolr.study import look
from tests.end_to_end.conftest import Project

pytestmark = pytest.mark.slow

_OPEN = ["tune", "tune.yaml", "--engine", "remote", "--listen", "127.0.0.1"]
_STRANGERS = 200


class Planted:
    """Makes a file where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ran"

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def framed(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


@contextmanager
def driver_of(project: Project, *arguments: str, descriptors: int = 1024) -> Iterator[Any]:
    """Run a driver that may have few descriptors open."""
    command = [sys.executable, "-m", "autolr", *_OPEN, *arguments]
    limited = ["bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "bash", *command]
    with (project.folder / "driver.log").open("w") as log:
        process = subprocess.Popen(limited, cwd=project.folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def endpoint_of(project: Project) -> Endpoint:
    end = time.monotonic() + 60
    while (result := Endpoint.read(project.folder / "autolr_runs/line")) is None:
        assert time.monotonic() < end, (project.folder / "driver.log").read_text()
        time.sleep(0.1)
    return result


class Strangers:
    """Two hundred connections: silent, slow, talking nonsense, or repeating; each comes again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._address = endpoint.host, endpoint.port
        self._over = threading.Event()
        self._draw = random.Random(1)
        self._threads = [
            threading.Thread(target=self._come, args=[number % 4], daemon=True)
            for number in range(_STRANGERS)
        ]
        self.visits = 0

    def __enter__(self) -> "Strangers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _come(self, kind: int) -> None:
        while not self._over.is_set():
            with suppress(OSError), socket.create_connection(self._address, 5) as visitor:
                self.visits += 1
                self._behave(visitor, kind)
            self._over.wait(0.5)

    def _behave(self, visitor: socket.socket, kind: int) -> None:
        challenge = visitor.recv(handshake.CHALLENGE)
        if kind == 2:
            visitor.sendall(self._draw.randbytes(500))
        if kind == 3:
            visitor.sendall((challenge * 2)[: handshake.ANSWER])
        visitor.settimeout(1.0)
        while not self._over.is_set():
            with suppress(TimeoutError):
                if not visitor.recv(256):
                    return
            if kind == 1:
                visitor.send(b"x")


def test_two_hundred_strangers_keep_no_worker_out_and_end_no_driver(project: Project) -> None:
    with (
        driver_of(project, "--workers", "1", descriptors=256) as driver,
        Strangers(endpoint_of(project)) as strangers,
    ):
        time.sleep(3)
        began = time.monotonic()
        worker = project.start("worker", "tune.yaml", "--wait", "60")
        worker.wait_for("working")
        assert time.monotonic() - began < 30
        assert driver.wait(timeout=200) == 0, (project.folder / "driver.log").read_text()
        assert strangers.visits > _STRANGERS
    assert worker.wait().status == 0
    assert look(f"sqlite:///{project.folder}/runs.db", "line").finished == 4


def test_a_pickle_from_one_who_knows_the_key_runs_nothing_and_the_study_continues(
    project: Project,
) -> None:
    planted = pickle.dumps(Planted(project.folder))
    with driver_of(project, "--workers", "1") as driver:
        endpoint = endpoint_of(project)
        for first in ([], [Ready()]):
            with endpoint.enter() as channel:
                if first:
                    channel.send(*first)
                channel._socket.sendall(framed(planted))
                assert list(channel.messages()) is not None  # until it is turned out
        worker = project.start("worker", "tune.yaml", "--wait", "60")
        assert driver.wait(timeout=200) == 0, (project.folder / "driver.log").read_text()
    assert worker.wait().status == 0
    assert not (project.folder / "ran").exists()
    log = (project.folder / "driver.log").read_text()
    assert log.count("what it sent is no message") >= 2


def _plant_endpoint(project: Project, host: str, port: int, key: str) -> Path:
    folder = project.folder / "autolr_runs/line"
    folder.mkdir(parents=True)
    file = folder / "driver.json"
    with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
        json.dump({"host": host, "port": port, "key": key, "over": False}, opened)
    return file


def test_a_driver_that_sends_pickles_has_a_worker_run_nothing(project: Project) -> None:
    """It is found by a file that a worker believes, and does all else as it should."""
    planted = pickle.dumps(Planted(project.folder))

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                result, _ = server.accept()
                with result:
                    challenge = handshake.challenge()
                    result.sendall(challenge)
                    answer = result.recv(handshake.ANSWER, socket.MSG_WAITALL)
                    word = handshake.confirmation("known", challenge, answer)
                    assert word is not None
                    result.sendall(word + framed(planted))
                    time.sleep(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        _plant_endpoint(project, "127.0.0.1", server.getsockname()[1], "known")
        worker = project.start("worker", "tune.yaml", "--wait", "2")
        worker.wait_for("working")
        time.sleep(2)
        server.shutdown(socket.SHUT_RDWR)
    finished = worker.wait()
    assert "the driver is left, what it sent is no message" in finished.err
    assert not (project.folder / "ran").exists()


def test_a_driver_of_the_old_kind_has_a_worker_run_nothing(project: Project) -> None:
    """`multiprocessing`'s own connections are unpickled by who receives."""
    with Listener(("127.0.0.1", 0), authkey=b"known") as listener:

        def serve() -> None:
            while True:
                with suppress(Exception), listener.accept() as result:
                    result.send(Planted(project.folder))

        threading.Thread(target=serve, daemon=True).start()
        host, port = listener.address
        _plant_endpoint(project, str(host), int(port), "known")
        finished = project.run("worker", "tune.yaml", "--wait", "3")
    assert finished.status == 1
    assert "no driver in" in finished.err
    assert not (project.folder / "ran").exists()


def test_an_endpoint_that_another_user_could_have_planted_is_not_joined(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = _plant_endpoint(project, "127.0.0.1", server.getsockname()[1], "known")
        file.chmod(0o666)
        finished = project.run("worker", "tune.yaml", "--wait", "3")
        file.chmod(0o600)
        file.parent.chmod(0o777)
        other = project.run("worker", "tune.yaml", "--wait", "3")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    for one, printed in ((finished, "writable for its owner only"), (other, "chmod o-w")):
        assert one.status == 2
        assert printed in one.err
        assert one.err.count("\n") == 1


@pytest.mark.parametrize("known", [True, False], ids=["digest of it", "digest of another"])
def test_a_planted_job_runs_nothing_in_a_rank(tmp_path: Path, known: bool) -> None:
    planted = pickle.dumps(Planted(tmp_path))
    job = tmp_path / "job.json"
    job.write_bytes(planted)
    digest = hashlib.sha256(planted if known else b"what rank 0 wrote").hexdigest()
    ended = subprocess.run(
        [sys.executable, "-m", "autolr.driver.worker", "0"],
        env={
            **os.environ,
            "LOCAL_RANK": "1",
            "AUTOLR_JOB": str(job),
            "AUTOLR_JOB_SHA256": digest,
        },
        capture_output=True,
        text=True,
    )
    assert ended.returncode != 0
    last = ended.stderr.strip().splitlines()[-1]
    assert ("WireError" if known else "is not what rank 0 wrote") in last
    assert not (tmp_path / "ran").exists()


def test_code_planted_in_the_checkpoint_of_a_worker_is_not_run(project: Project) -> None:
    """A study of workers is cut, its checkpoints are replaced, and it is run again."""
    import torch

    command = project.start("tune", "tune.yaml", "--workers", "2", PAUSE="0.1")
    command.wait_for("after 16 steps")
    command.send(2)
    assert command.wait().status == 130
    files = list(project.folder.glob("autolr_runs/line/trial_*/rung.ckpt"))
    assert files
    for number, file in enumerate(files):
        if number % 2:
            file.write_bytes(pickle.dumps(Planted(project.folder)))
        else:
            torch.save({"callbacks": Planted(project.folder)}, file)
    resumed = project.tune("--workers", "2")
    assert not (project.folder / "ran").exists()
    assert resumed.out.count("rung.ckpt is not used, it ") >= 1
    assert "failed" not in resumed.out
    assert look(f"sqlite:///{project.folder}/runs.db", "line").finished == 4
