"""How a database is, as `autolr doctor --storage URL` sees it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autolr.cli import main
from autolr.doctor import Finding
from autolr.doctor.database import database
from autolr.errors import ConfigError
from autolr.study import locked, open_study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a study of one trial."""
    path = tmp_path_factory.mktemp("database") / "runs.db"
    handle = open_study(f"sqlite:///{path}", "line")
    handle.complete(handle.ask(), 0.5, {"steps": 3})
    handle.close()
    return path


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def found(path: Path) -> dict[str, Finding]:
    return {finding.topic: finding for finding in database(f"sqlite:///{path}")}


def test_a_whole_database_has_nothing_wrong(file: Path) -> None:
    findings = found(file)
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert set(findings) == {"reachable", "schema", "integrity", "studies", "locks"}
    assert findings["studies"].text == "line"


def test_one_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    assert "does not exist yet" in found(tmp_path / "none.db")["reachable"].text
    assert list(tmp_path.iterdir()) == []


def pages_of(index: str, file: Path) -> Iterator[int]:
    with closing(sqlite3.connect(file)) as connection:
        query = "select rootpage from sqlite_master where name = ?"
        yield from (page for (page,) in connection.execute(query, (index,)))


def test_damage_that_no_query_meets_is_found(file: Path) -> None:
    """An index that has lost its entries: `show` works, a later insert may not."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        (size,) = connection.execute("pragma page_size").fetchone()
    (page,) = pages_of("ix_studies_study_name", file)
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(bytes([10, 0, 0, 0, 0, 0, 0, 0]))  # an index leaf without cells
    findings = found(file)
    assert findings["integrity"].level == "wrong"
    assert "ix_studies_study_name" in findings["integrity"].text


def test_a_file_that_is_no_database_is_not_reachable(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("no database at all, but a long enough text")
    assert found(tmp_path / "runs.db")["reachable"].level == "wrong"


def test_a_schema_of_another_optuna_is_wrong(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update version_info set schema_version = 99")
        connection.execute("update alembic_version set version_num = 'v9.9.9'")
    wrong = [finding for finding in found(file).values() if finding.level == "wrong"]
    assert len(wrong) == 1
    assert "schema" in wrong[0].text


def test_a_study_in_use_is_named(file: Path) -> None:
    with locked(f"sqlite:///{file}", "line"):
        locks = found(file)["locks"]
    assert (locks.level, "line" in locks.text) == ("note", True)
    assert found(file)["locks"].text == "no study is in use"


@pytest.mark.slow
def test_a_writer_that_does_not_end_is_named(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        assert found(file)["writer"].level == "note"


def test_a_url_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="storage"):
        list(database("runs.db"))
    assert main(["doctor", "--storage", "runs.db"]) == 2
    assert capsys.readouterr().err.startswith("autolr: error: storage")
