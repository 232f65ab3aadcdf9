"""A study on a PostgreSQL server that is stopped, started and shared."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy

from autolr.errors import StorageBusyError, StorageError
from autolr.study import Study, locked, look, open_study, study_names
from tests.postgresql import Server, running_server

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]

HOLD = """
import sys, time
from autolr.study import locked
with locked(sys.argv[1], "digits"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    return server.new_database()


def run_trial(handle: Study, value: float) -> tuple[float, str]:
    trial = handle.ask()
    chosen = trial.suggest_float("lr", 0.1, 1.0), trial.suggest_categorical("rule", ["a", "b"])
    handle.complete(trial, value)
    return chosen


def test_a_resumed_study_continues_as_one_in_a_file_that_was_not_interrupted(
    database: str, url: str
) -> None:
    with locked(url, "digits"):
        handle = open_study(url, "digits", seed=5)
        expected = [run_trial(handle, 1.0 / (1 + i)) for i in range(12)]
    result = []
    for begin in (0, 6):
        with locked(database, "digits") as session:
            handle = open_study(database, "digits", seed=5, session=session)
            result += [run_trial(handle, 1.0 / (1 + i)) for i in range(begin, begin + 6)]
            handle.close()
    assert result == expected
    assert look(database, "digits").finished == 12


def test_a_second_driver_learns_at_once_who_holds_the_study(database: str, start: Start) -> None:
    holder = hold(start, database)
    began = time.monotonic()
    who = f"in use by process {holder.pid} on {socket.gethostname()} since 2"
    with pytest.raises(StorageBusyError, match=who), locked(database, "digits"):
        pass
    assert time.monotonic() - began < 5  # it has not waited for the lock
    with locked(database, "letters"):
        pass


def test_the_lock_of_a_killed_driver_is_free_at_once(database: str, start: Start) -> None:
    holder = hold(start, database)
    holder.kill()
    with locked(database, "digits"):
        pass


def hold(start: Start, url: str) -> subprocess.Popen[str]:
    process = start(HOLD, url)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_drivers_that_create_the_tables_together_all_get_their_study(
    database: str, create_together: Callable[[str], list[int]]
) -> None:
    assert create_together(database) == [0, 0, 0, 0]
    assert set(study_names(database)) == {"s0", "s1", "s2", "s3"}


def test_a_study_outlives_the_restart_of_its_server(database: str, server: Server) -> None:
    with locked(database, "digits") as session:
        handle = open_study(database, "digits", session=session)
        trial = handle.ask()
        handle.report(trial, 1, 0.5)
        server.stop()
        back = threading.Timer(1.0, server.start)
        back.start()
        handle.report(trial, 2, 0.4)
        back.join()
        handle.complete(trial, 0.3)
        with pytest.raises(StorageBusyError), locked(database, "digits"):
            pass
    (stored,) = look(database, "digits").trials
    assert (stored.state, stored.value, dict(stored.scores)) == ("COMPLETE", 0.3, {1: 0.5, 2: 0.4})


def test_what_was_not_confirmed_is_written_again(database: str, server: Server) -> None:
    broken: list[int] = []

    def break_it(connection: sqlalchemy.Connection) -> None:
        if not broken:
            (pid,) = connection.exec_driver_sql("select pg_backend_pid()").one()
            broken.append(pid)
            server.query(f"select pg_terminate_backend({pid})")

    with locked(database, "digits") as session:
        handle = open_study(database, "digits", session=session)
        trial = handle.ask()
        engine = handle._study._storage._backend.engine  # type: ignore[attr-defined]
        sqlalchemy.event.listen(engine, "commit", break_it)
        handle.report(trial, 1, 0.5)
        broken.clear()
        handle.complete(trial, 0.3)
    assert broken
    (stored,) = look(database, "digits").trials
    assert (stored.state, stored.value, dict(stored.scores)) == ("COMPLETE", 0.3, {1: 0.5})


def test_a_driver_that_lost_its_study_writes_nothing_more(database: str, server: Server) -> None:
    with locked(database, "digits") as session:
        handle = open_study(database, "digits", session=session)
        trial = handle.ask()
        name = database.rpartition("/")[2]
        mine = f"pid <> pg_backend_pid() and datname = '{name}'"
        server.query(f"select pg_terminate_backend(pid) from pg_stat_activity where {mine}")
        with locked(database, "digits"), pytest.raises(StorageBusyError, match="in use by process"):
            handle.report(trial, 1, 0.5)
    (stored,) = look(database, "digits").trials
    assert (stored.state, dict(stored.scores)) == ("RUNNING", {})


def test_a_server_that_is_not_there_is_said_in_one_line(server: Server) -> None:
    server.stop(signal.SIGQUIT)
    url = f"postgresql+psycopg://tester@127.0.0.1:{server.port}/none"
    began = time.monotonic()
    try:
        gone = pytest.raises(StorageError, match=r"cannot use postgres.* refused")
        with gone, locked(url, "digits"):
            pass
        assert time.monotonic() - began < 5
    finally:
        server.start()
