"""How `autolr worker --storage` finds its driver; the whole way is in tests/end_to_end."""

import os
from pathlib import Path

import pytest
import yaml

from autolr.cli import main
from autolr.driver import discovery as discovery_module
from autolr.driver.discovery import Discovery
from autolr.driver.messages import StudyOver
from autolr.driver.remote_engine import RemoteEngine
from autolr.study import FOLDER, announced, open_study, peek, study_names
from autolr.tune_config import TuneConfig
from tests.end_to_end.conftest import CONFIG


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(CONFIG))
    return f"sqlite:///{tmp_path}/served.db"


def worker(*arguments: str) -> int:
    return main(["worker", "tune.yaml", "--wait", "0.1", *arguments])


def test_the_driver_is_found_by_the_folder_that_the_study_names(url: str, tmp_path: Path) -> None:
    discovery = Discovery(TuneConfig(storage=url, study="line"), asks=True)
    engine = RemoteEngine(tmp_path / "far", "127.0.0.1")
    with announced(url, "line", tmp_path / "far"):
        result = discovery.enter()
        assert result is not None
        channel, folder = result
        channel.close()
        assert folder == tmp_path / "far"
    engine.close()
    assert discovery.enter() is None
    assert not discovery.over


def test_no_secret_is_in_the_storage(url: str, tmp_path: Path) -> None:
    engine = RemoteEngine(tmp_path / "far", "127.0.0.1")
    with announced(url, "line", tmp_path / "far"):
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("served.db*"))
    engine.close()
    assert b"far" in stored
    assert engine._endpoint.key.encode() not in stored


def complete(engine: RemoteEngine) -> None:
    engine.start(0)
    engine.send(0, StudyOver())
    engine.close()


def test_a_study_that_was_over_before_may_be_started_again(tmp_path: Path) -> None:
    complete(RemoteEngine(tmp_path, "127.0.0.1"))
    discovery = Discovery(TuneConfig(out=tmp_path), asks=False)
    assert discovery.enter() is None
    assert (discovery.complete, discovery.over) == (True, False)
    again = RemoteEngine(tmp_path, "127.0.0.1")
    result = discovery.enter()
    assert result is not None
    result[0].close()
    complete(again)
    assert discovery.enter() is None
    assert discovery.over


def test_a_study_that_gets_over_is_left_at_once_also_by_who_had_no_seat(tmp_path: Path) -> None:
    discovery = Discovery(TuneConfig(out=tmp_path), asks=False)
    assert discovery.enter() is None
    complete(RemoteEngine(tmp_path, "127.0.0.1"))
    assert discovery.enter() is None
    assert discovery.over


def test_a_study_that_was_complete_is_left_after_the_grace_unless_a_driver_came(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_module, "_GRACE", 0.0)
    handle = open_study(url, "line")
    handle.complete(handle.ask(), 1.0)
    handle.close()
    late, early = (
        Discovery(TuneConfig(storage=url, study="line", trials=1), asks=True) for _ in range(2)
    )
    assert late.enter() is None
    assert late.over
    engine = RemoteEngine(tmp_path / "far", "127.0.0.1")  # with more trials than the config has
    open_study(url, "line").set_attr(FOLDER, str(tmp_path / "far"))
    result = early.enter()
    assert result is not None
    result[0].close()
    engine.close()
    assert early.enter() is None
    assert (early.complete, early.over) == (True, False)


def test_a_worker_of_a_complete_study_says_so_and_leaves(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = open_study(url, "line")
    for _ in range(CONFIG["tune"]["trials"]):
        handle.complete(handle.ask(), 1.0)
    assert worker("--storage", url) == 0
    assert "the study is complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wait", "-3"], "wait must be 0 seconds or more, got -3.0"),
        (["--out", "tune.yaml"], "out must be a folder that can be made (tune.yaml is a file)"),
        (["--out", "tune.yaml/results"], "tune.yaml is a file), got 'tune.yaml/results'"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_at_once(
    url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["worker", "tune.yaml", *arguments]) == 2
    said_out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert not said_out


@pytest.mark.slow
def test_a_study_that_is_not_there_or_has_no_driver_is_said_in_one_line(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_study(url, "line").close()
    for arguments, status, message in (
        (["--study", "lime"], 2, "unknown study 'lime'; did you mean 'line'"),
        ([], 1, "no driver of study 'line' for 0.1 s"),
        (["--out", "there"], 1, "no driver in there for 0.1 s"),
    ):
        assert worker("--storage", url, *arguments) == status
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("storage", "status", "message"),
    [
        ("sqlite:///none.db", 2, "no study 'line', nor any other, in sqlite:///none.db; --storage"),
        ("none.db", 2, "tune.storage"),
        ("oracle9://host/name", 2, "storage"),
        ("sqlite:///tune.yaml", 4, "file is not a database"),
        ("postgresql+psycopg://me@127.0.0.1:1/none", 4, "onnection refused"),
    ],
)
def test_a_storage_that_cannot_be_used_is_said_in_one_line(
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    storage: str,
    status: int,
    message: str,
) -> None:
    assert worker("--storage", storage) == status
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert {file.name for file in tmp_path.iterdir()} == {"tune.yaml"}


def test_a_study_that_is_announced_but_never_begun_is_gone_again(url: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), announced(url, "line", tmp_path / "far"):
        raise KeyboardInterrupt
    assert study_names(url) == ()


def test_a_study_that_was_there_stays_when_its_config_turns_out_wrong(
    url: str, tmp_path: Path
) -> None:
    handle = open_study(url, "line", direction="maximize")
    handle.check_fingerprint({"seed": 1})
    with pytest.raises(KeyboardInterrupt), announced(url, "line", tmp_path / "far"):
        raise KeyboardInterrupt
    stored = peek(url, "line")
    assert stored is not None
    assert (stored.direction, stored.folder) == ("maximize", tmp_path / "far")


def test_a_study_of_another_user_is_left_as_it_is(url: str, tmp_path: Path) -> None:
    handle = open_study(url, "line")
    handle.complete(handle.ask(), 1.0)
    with announced(url, "line", tmp_path / "far"):
        pass
    stored = peek(url, "line")
    assert stored is not None
    assert stored.folder is None
