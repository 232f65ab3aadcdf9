import contextlib
import random
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autolr.errors import AutoLRError, ConfigError, StorageError, StudyMismatchError
from autolr.study import open_study, peek, storage_errors, study_names

Start = Callable[..., subprocess.Popen[str]]


def fill(url: str, trials: int = 5) -> None:
    handle = open_study(url, "digits")
    for number in range(trials):
        trial = handle.ask()
        trial.suggest_float("lr", 0.0, 1.0)
        handle.report(trial, 10, 1.0)
        handle.complete(trial, float(number), {"note": "x" * 500})
    handle.close()


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("runs.db", "sqlite:///runs.db"),
        ("/data/runs.db", "sqlite:////data/runs.db"),
        ("sqlite://runs.db", "sqlite:///runs.db"),
        ("", "sqlite:///autolr.db"),
        ("sqlite://", "a database in a file"),
        ("sqlite:///:memory:", "a database in a file"),
        ("nosuch://host/db", "a URL such as sqlite:///autolr.db"),
    ],
)
@pytest.mark.parametrize("use", [open_study, peek])
def test_the_error_of_an_invalid_url_shows_a_valid_one(
    storage: str, expected: str, use: Callable[[str, str], object]
) -> None:
    with pytest.raises(ConfigError, match="storage must be") as caught:
        use(storage, "digits")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../../etc/x", "", ".hidden", "a b", "a/b", "x" * 129, "a\n", "ü"]
)
@pytest.mark.parametrize("use", [open_study, peek])
def test_a_name_that_is_no_file_name_is_refused(
    url: str, name: str, use: Callable[[str, str], object], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"^study must be") as caught:
        use(url, name)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", [open_study, peek])
def test_a_missing_driver_names_the_package_and_hides_the_password(
    use: Callable[[str, str], object],
) -> None:
    with pytest.raises(ConfigError, match=r"pip install 'psycopg\[binary\]>=3\.2'") as caught:
        use("mssql+pymssql://me:secret@host/db", "digits")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("use", [open_study, peek])
def test_a_server_out_of_reach_is_a_storage_error_without_the_password(
    use: Callable[[str, str], object],
) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StorageError, match="Connection refused") as caught:
        use("postgresql+psycopg://me:secret@127.0.0.1:1/db", "digits")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_folder_is_created_and_the_file_is_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "100% {sure}" / "r.db"
    fill(f"sqlite:///{path}", trials=1)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_relative_file_stays_where_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    handle = open_study("sqlite:///runs.db", "digits")
    monkeypatch.chdir("elsewhere")
    handle.close()  # as if the connection were lost: the next use opens the file anew
    handle.complete(handle.ask(), 1.0)
    assert [path.name for path in Path().iterdir()] == []


@pytest.mark.parametrize("use", [open_study, peek])
@pytest.mark.parametrize(
    "content", [b"lr,loss\n0.1,2.3\n" * 300, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_no_database_is_one_line(
    url: str, tmp_path: Path, use: Callable[[str, str], object], content: bytes
) -> None:
    (tmp_path / "runs.db").write_bytes(content)
    with pytest.raises(StorageError, match="cannot use sqlite:///") as caught:
        use(url, "digits")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "runs.db").read_bytes() == content


@pytest.mark.parametrize("use", [open_study, peek])
def test_a_folder_in_the_place_of_the_file_is_one_line(
    url: str, tmp_path: Path, use: Callable[[str, str], object]
) -> None:
    (tmp_path / "runs.db").mkdir()
    with pytest.raises(StorageError, match="unable to open database file"):
        use(url, "digits")


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError, match="cannot use"):
        open_study(f"sqlite:///{tmp_path}/runs/r.db", "digits")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_truncated_database_is_detected_before_any_trial(
    url: str, tmp_path: Path, share: float
) -> None:
    fill(url)
    data = (tmp_path / "runs.db").read_bytes()
    (tmp_path / "runs.db").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(StorageError) as caught:
        open_study(url, "digits")
    assert "\n" not in str(caught.value)


def test_random_damage_never_ends_in_a_traceback(url: str, tmp_path: Path) -> None:
    fill(url)
    data = (tmp_path / "runs.db").read_bytes()
    rng = random.Random(0)
    messages = []
    for _ in range(12):
        damaged = bytearray(data)
        page = 4096 * rng.randrange(len(data) // 4096)
        spots = [page + rng.randrange(4096) for _ in range(rng.choice([10, 1000]))]
        for spot in spots:
            damaged[spot] = rng.randrange(256)
        for path in tmp_path.glob("runs.db-*"):
            path.unlink()
        (tmp_path / "runs.db").write_bytes(damaged)
        for use in (peek, open_study):
            try:
                use(url, "digits")
            except AutoLRError as error:
                messages.append(str(error))
    assert len(messages) > 6
    assert not any("\n" in message for message in messages)


def test_an_empty_file_is_an_empty_storage(url: str, tmp_path: Path) -> None:
    (tmp_path / "runs.db").touch()
    assert peek(url, "digits") is None
    fill(url, trials=1)


READ_ONLY = """
import os, sys
from autolr.errors import StorageError
from autolr.study import locked, open_study
open_study(f"sqlite:///{sys.argv[1]}/ok.db", "digits")  # imports what is imported late
os.chmod(sys.argv[1], 0o555)
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
def use_lock():
    with locked(f"sqlite:///{sys.argv[1]}/new.db", "digits"):
        pass
for use in (use_lock, lambda: open_study(f"sqlite:///{sys.argv[1]}/new.db", "digits")):
    try:
        use()
    except StorageError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_folder_that_may_not_be_written_is_one_line(start: Start) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        lines = start(READ_ONLY, folder).communicate()[0].splitlines()
    assert len(lines) == 2
    assert all("Permission denied" in line for line in lines)


FULL = """
import os, resource, sys
from autolr.errors import StorageError
from autolr.study import open_study
handle = open_study(sys.argv[1], "digits")
trial = handle.ask()
size = os.path.getsize(sys.argv[2] + "-wal") + 20_000  # no file may grow beyond: a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    for step in range(1000):
        handle.report(trial, step, 1.0)
        print("kept", step)
except StorageError as error:
    print(error)
os._exit(0)
"""


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(url: str, tmp_path: Path, start: Start) -> None:
    *kept, message = start(FULL, url, tmp_path / "runs.db").communicate()[0].splitlines()
    assert message.startswith(f"cannot use {url}: ")
    assert len(kept) < 1000
    assert len(open_study(url, "digits").trials[0].scores) >= len(kept)


def test_tables_of_another_optuna_are_refused_though_others_were_opened_before(
    url: str, tmp_path: Path
) -> None:
    for _ in range(2):
        open_study(url, "digits").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
        database.execute("update alembic_version set version_num = 'v9.9.9'")
    refusal = r"optuna version .* is no longer compatible"
    for _ in range(2):
        with pytest.raises(StorageError, match=refusal):
            open_study(url, "digits")
        with pytest.raises(StorageError, match=refusal):
            peek(url, "digits")


def test_a_study_deleted_meanwhile_is_one_line(url: str) -> None:
    handle = open_study(url, "digits")
    trial = handle.ask()
    open_study(url, "digits", fresh=True)
    with pytest.raises(StorageError, match="Record does not exist"):
        handle.complete(trial, 1.0)


def test_errors_of_the_callers_own_pass_through(url: str) -> None:
    with pytest.raises(KeyError, match="mine"), storage_errors(url):
        raise KeyError("mine")
    with pytest.raises(ValueError, match="mine"), storage_errors(url):
        raise ValueError("mine")


def test_fresh_starts_over_and_leaves_other_studies(url: str) -> None:
    fill(url)
    open_study(url, "other")
    assert open_study(url, "digits", fresh=True).trials == ()
    assert set(study_names(url)) == {"digits", "other"}


def test_another_direction_is_another_study(url: str) -> None:
    open_study(url, "digits", direction="maximize")
    with pytest.raises(StudyMismatchError, match="direction = maximize, now it is minimize"):
        open_study(url, "digits")
