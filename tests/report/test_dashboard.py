"""What keeps `autolr dashboard` from starting is one line."""

import socket
import sys
from pathlib import Path

import pytest

from autolr import study
from autolr.cli import main


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    study.open_study(url, "digits", sampler="random").close()
    return url


def refused(capsys: pytest.CaptureFixture[str], status: int, *arguments: object) -> str:
    """Return the line with which ``autolr dashboard`` ends, with this exit status."""
    impossible = ["--port", "65536"]  # so that it never serves, whatever it overlooks
    assert main(["dashboard", *impossible, *map(str, arguments)]) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err


def test_a_mistyped_storage_is_refused_and_not_created(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    for name in ([], ["digits"]):
        assert f"no studies in {url}" in refused(capsys, 2, *name, "--storage", url)
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_study_is_refused_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    assert "did you mean 'digits'?" in refused(capsys, 2, "digit", "--storage", storage)


def test_a_file_that_is_no_database_is_exit_4(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no database" * 100)
    url = f"sqlite:///{tmp_path / 'notes.txt'}"
    assert f"cannot use {url}: file is not a database" in refused(capsys, 4, "--storage", url)


def test_a_port_that_cannot_be_had_is_refused(
    capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        line = refused(capsys, 2, "--storage", storage, "--port", taken)
    assert f"port must be one that is free (Address already in use), got {taken}" in line
    line = refused(capsys, 2, "--storage", storage)
    assert "port must be 0 to 65535, got 65536" in line


def test_without_the_package_it_is_named(
    capsys: pytest.CaptureFixture[str], storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    line = refused(capsys, 2, "--storage", storage, "--port", 0)
    assert "pip install 'optuna-dashboard>=" in line
