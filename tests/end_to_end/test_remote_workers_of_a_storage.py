"""`autolr worker --storage`: a worker that knows the study, but not where its results are."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from autolr.study import look
from tests.end_to_end.conftest import Project
from tests.postgresql import running_server


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A new database of PostgreSQL; a file where there is no server to run."""
    with ExitStack() as stack:
        result = f"sqlite:///{tmp_path}/other.db"
        with suppress(pytest.skip.Exception):
            result = stack.enter_context(running_server()).new_database()
        yield result


@pytest.mark.slow
def test_a_worker_in_another_folder_finds_its_driver_by_the_study(
    project: Project, url: str
) -> None:
    elsewhere = replace(project, folder=project.folder / "elsewhere")
    elsewhere.folder.mkdir()
    worker = elsewhere.start("worker", "../tune.yaml", "--storage", url, "--wait", "60")
    worker.wait_for("waiting for the driver of study 'line'")
    opened = (
        "--engine",
        "remote",
        "--workers",
        "auto",
        "--listen",
        "127.0.0.1",
        "--out",
        "results",
    )
    finished = project.run("tune", "tune.yaml", "--storage", url, *opened)
    assert finished.status == 0, finished
    last = worker.wait()
    assert (last.status, "the study is complete" in last.out) == (0, True), last
    assert look(url, "line").finished == 4
    rungs = re.findall(r"^trial (\d+) after (\d+) steps", finished.out, re.M)
    assert len(set(rungs)) == len(rungs) > 0
    assert (project.folder / "results/trial_0/metrics.jsonl").read_text()
    assert list(elsewhere.folder.iterdir()) == [worker.notes]
