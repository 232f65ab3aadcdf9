"""Which folders and files a worker believes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from autolr.cli import main
from autolr.driver import trust
from autolr.driver.discovery import Discovery
from autolr.driver.endpoint import Endpoint
from autolr.driver.remote_engine import RemoteEngine
from autolr.errors import ConfigError
from autolr.study import announced
from autolr.tune_config import TuneConfig
from tests.end_to_end.conftest import CONFIG

ENDPOINT = {"host": "127.0.0.1", "port": 1, "key": "k", "over": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "results"
    made.mkdir(mode=0o755)
    written = made / "driver.json"
    written.write_text(json.dumps(ENDPOINT))
    written.chmod(0o600)
    return made


def test_a_file_of_this_user_in_a_folder_of_this_user_is_believed(folder: Path) -> None:
    assert Endpoint.read(folder) == Endpoint("127.0.0.1", 1, "k")
    (folder / "driver.json").unlink()
    assert Endpoint.read(folder) is None
    for other in ("none", "a\0b", "x" * 5000):
        assert Endpoint.read(folder / other) is None


def _of_another_user(folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder / "driver.json", 12345, 12345)


def _by_a_symbolic_link(folder: Path) -> None:
    (folder / "driver.json").rename(folder / "elsewhere")
    (folder / "driver.json").symlink_to("elsewhere")


PLANTED: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: folder.chmod(0o777), "not everybody can write to"),
    (lambda folder: folder.chmod(0o1777), "not everybody can write to"),
    (lambda folder: (folder / "driver.json").chmod(0o666), "writable for its owner only"),
    (lambda folder: (folder / "driver.json").chmod(0o620), "writable for its owner only"),
    (_of_another_user, "must be a file of this user"),
    (_by_a_symbolic_link, "must be a file of this user"),
    (lambda folder: os.link(folder / "driver.json", folder / "other"), "a file of this user"),
]


@pytest.mark.parametrize(("plant", "message"), PLANTED, ids=range(len(PLANTED)))
def test_what_another_user_could_have_written_ends_a_worker_in_a_line(
    folder: Path,
    plant: Callable[[Path], object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plant(folder)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    Path("tune.yaml").write_text(yaml.safe_dump(CONFIG))
    assert main(["worker", "tune.yaml", "--out", "results", "--wait", "5"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_folder_that_a_database_names_is_believed_no_more_than_any_other(
    folder: Path, tmp_path: Path
) -> None:
    folder.chmod(0o777)
    url = f"sqlite:///{tmp_path}/runs.db"
    with announced(url, "line", folder), pytest.raises(ConfigError, match="not everybody can"):
        Discovery(TuneConfig(storage=url, study="line"), asks=True).enter()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 4000,
        "null",
        json.dumps({**ENDPOINT, "more": 1}),
        json.dumps({**ENDPOINT, "port": "1"}),
        json.dumps({**ENDPOINT, "port": 70000}),
        json.dumps({**ENDPOINT, "port": True}),
        json.dumps({**ENDPOINT, "host": None}),
        json.dumps({**ENDPOINT, "host": "x" * 5000}),
        "\0\xff",
    ],
    ids=lambda text: repr(text[-30:]),
)
def test_a_file_that_says_no_driver_is_as_if_it_were_not_there(folder: Path, text: str) -> None:
    (folder / "driver.json").write_text(text)
    assert Endpoint.read(folder) is None


def test_a_host_that_cannot_be_one_is_no_driver(folder: Path) -> None:
    (folder / "driver.json").write_text(json.dumps({**ENDPOINT, "host": "x" * 300 + "."}))
    assert Discovery(TuneConfig(out=folder), asks=False).enter() is None


def test_nothing_but_a_file_is_read(folder: Path) -> None:
    (folder / "driver.json").unlink()
    os.mkfifo(folder / "driver.json")
    with pytest.raises(ConfigError, match="must be a file of this user"):
        Endpoint.read(folder)
    assert trust.read_private(Path("/dev/zero/none"), 10) is None


def test_a_driver_refuses_a_folder_that_everybody_can_write_to_before_it_is_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("tune.yaml").write_text(yaml.safe_dump(CONFIG))
    folder.chmod(0o777)
    for arguments in ([], ["--dry-run"]):
        command = ["tune", "tune.yaml", "--engine", "remote", "--out", "results", *arguments]
        assert main([*command, "--listen", "127.0.0.1"]) == 2
        message, err = capsys.readouterr()
        assert "not everybody can write to" in err
        assert err.count("\n") == 1
        assert message.strip() == ""  # not even that the config is checked
    with pytest.raises(ConfigError, match="chmod o-w"):
        RemoteEngine(folder, "127.0.0.1")


def test_a_folder_that_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        RemoteEngine(tmp_path / "new", "127.0.0.1").close()
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_the_group_can_write_to_gets_a_line_from_a_worker_and_a_driver(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.chmod(0o775)
    lines: list[str] = []
    discovery = Discovery(TuneConfig(out=folder), asks=False, listener=lines.append)
    for _ in range(3):
        discovery.enter()
    assert lines == [
        f"the group of {folder} can write to it, and so change what workers train; if it is not "
        f"yours alone: chmod g-w {folder}"
    ]
    monkeypatch.chdir(folder.parent)
    config = {**CONFIG, "model": {"class_path": "no.Model"}}
    Path("tune.yaml").write_text(yaml.safe_dump(config))
    command = ["tune", "tune.yaml", "--engine", "remote", "--out", "results", "--dry-run"]
    assert main(command) == 2
    assert "the group of" in capsys.readouterr().out
