import contextlib
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autolr.study import open_study, peek, study_names

Start = Callable[..., subprocess.Popen[str]]


def test_looking_creates_nothing(url: str, tmp_path: Path) -> None:
    assert peek(url, "digits") is None
    assert study_names(url) == ()
    assert list(tmp_path.iterdir()) == []


def test_looking_leaves_a_foreign_database_alone(url: str, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "runs.db").read_bytes()
    assert peek(url, "digits") is None
    assert study_names(url) == ()
    assert (tmp_path / "runs.db").read_bytes() == before


def test_looking_at_a_missing_study_creates_none(url: str) -> None:
    open_study(url, "digits")
    assert peek(url, "other") is None
    assert study_names(url) == ("digits",)


def test_reading_waits_for_no_writer(url: str) -> None:
    handle = open_study(url, "digits")
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        summary = peek(url, "digits")
    assert summary is not None
    handle.close()


@pytest.mark.slow
def test_no_torch_is_needed(url: str, start: Start) -> None:
    script = (
        "import sys; from autolr import study; h = study.open_study(sys.argv[1], 'x')\n"
        "h.complete(h.ask(), 1.0); print(study.peek(sys.argv[1], 'x').finished)\n"
        "print({'torch', 'lightning'} & set(sys.modules))"
    )
    assert start(script, url).communicate()[0].splitlines() == ["1", "set()"]


def test_looking_leaves_a_database_alone_that_is_just_being_created(
    url: str, tmp_path: Path
) -> None:
    open_study(url, "digits").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("DELETE FROM alembic_version")  # what its creator writes last
        connection.commit()
        assert peek(url, "digits") is None
        assert study_names(url) == ()
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (0,)
