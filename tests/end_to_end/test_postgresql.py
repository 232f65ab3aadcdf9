"""`autolr tune` on a PostgreSQL server."""

import time
from collections.abc import Iterator

import pytest

from autolr.study import look
from tests.end_to_end.conftest import Project
from tests.postgresql import Server, running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with running_server() as running:
        yield running


def test_a_study_continues_while_its_server_is_restarted_and_is_held_by_one_driver(
    project: Project, database: Server
) -> None:
    url = database.new_database()
    tune = ["tune", "tune.yaml", "--storage", url]
    first = project.start(*tune, PAUSE="0.05")
    first.wait_for("trial 0 starts")
    began = time.monotonic()
    second = project.run(*tune)
    assert time.monotonic() - began < 5  # the import included
    assert second.status == 4, second
    assert f"is in use by process {first.pid} on " in second.err
    database.stop()
    time.sleep(1)
    database.start()
    finished = first.wait()
    assert finished.status == 0, finished
    assert look(url, "line").finished == 4
    again = project.run(*tune)
    assert (again.status, again.trained) == (0, [])
