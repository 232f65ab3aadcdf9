import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from autolr.errors import ConfigError, StorageBusyError
from autolr.study import locked, study_names

Start = Callable[..., subprocess.Popen[str]]

HOLD = """
import sys, time
from autolr.study import locked
with locked(sys.argv[1], "digits"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(start: Start, url: str, script: str = HOLD) -> subprocess.Popen[str]:
    process = start(script, url)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_second_driver_learns_at_once_who_holds_the_study(url: str, start: Start) -> None:
    holder = hold(start, url)
    began = time.monotonic()
    busy = pytest.raises(StorageBusyError, match=f"in use by process {holder.pid} on .* since 2")
    with busy, locked(url, "digits"):
        pass
    assert time.monotonic() - began < 5  # it has not waited for the lock


@pytest.mark.slow
def test_a_holder_that_has_not_said_yet_who_it_is_is_named_not_a_dead_one(
    url: str, tmp_path: Path, start: Start
) -> None:
    kill(hold(start, url))  # its name stays behind
    (lock,) = tmp_path.glob("*.lock")
    name = lock.with_name(f"{lock.name}.holder")
    assert name.exists()
    alive = {"pid": os.getpid(), "host": socket.gethostname(), "since": "now"}
    late = threading.Timer(0.2, name.write_text, [json.dumps(alive)])
    with FileLock(lock):
        late.start()
        busy = pytest.raises(StorageBusyError, match=f"in use by process {os.getpid()} on")
        with busy, locked(url, "digits"):
            pass
    late.join()


def test_the_lock_of_a_killed_driver_is_free_at_once(url: str, start: Start) -> None:
    kill(hold(start, url))
    with locked(url, "digits"):
        pass


HOLD_AND_FORK = """
import os, sys, time
from autolr.study import locked
with locked(sys.argv[1], "digits"):
    if os.fork() == 0:
        print("held", flush=True)
        time.sleep(10)
        os._exit(0)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_child_that_outlives_a_killed_driver_does_not_keep_the_lock(
    url: str, start: Start
) -> None:
    kill(hold(start, url, HOLD_AND_FORK))
    with locked(url, "digits"):
        pass


@pytest.mark.slow
def test_the_message_names_the_new_holder_not_the_dead_one(url: str, start: Start) -> None:
    kill(hold(start, url))
    busy = pytest.raises(StorageBusyError, match=f"process {os.getpid()} ")
    with locked(url, "digits"), busy, locked(url, "digits"):
        pass


def test_the_lock_is_free_after_an_error(url: str) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), locked(url, "digits"):
            raise KeyError
    with locked(url, "digits"):
        pass


def test_two_studies_of_one_file_do_not_wait_for_each_other(url: str) -> None:
    with locked(url, "digits"), locked(url, "letters"):
        pass


def test_a_server_needs_a_folder_for_the_lock(tmp_path: Path) -> None:
    server = "mysql+mysqlconnector://host/db"
    with pytest.raises(ConfigError, match="folder must be given"), locked(server, "digits"):
        pass
    folder = tmp_path / "new"
    busy = pytest.raises(StorageBusyError)
    with locked(server, "digits", folder), busy, locked(server, "digits", folder):
        pass


@pytest.mark.slow
def test_processes_that_create_one_file_together_all_get_their_study(
    url: str, create_together: Callable[[str], list[int]]
) -> None:
    assert create_together(url) == [0, 0, 0, 0]
    assert set(study_names(url)) == {"s0", "s1", "s2", "s3"}
