"""A PostgreSQL server of its own for tests."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_PATIENCE = 60.0  # seconds to start or stop


@dataclass
class Server:
    """A server in a folder; it can be stopped and started again, at the same port."""

    folder: Path
    port: int
    user: str | None  # of the system; the server refuses to run as root
    databases: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(_program("postgres"), "-D", str(self.folder / "data")),
                    *("-p", str(self.port), "-k", str(self.folder)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                user=self.user,
            )
        end = time.monotonic() + _PATIENCE
        while self.query("select 1") is None:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)

    def stop(self, signum: int = signal.SIGINT) -> None:
        """Stop; connections are broken at once."""
        assert self.process is not None
        self.process.send_signal(signum)
        self.process.wait(_PATIENCE)

    def new_database(self) -> str:
        """Return the URL of an empty database."""
        self.databases += 1
        name = f"db{self.databases}"
        assert self.query(f"create database {name}") is not None
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/{name}"

    def query(self, text: str, database: str = "postgres") -> list[str] | None:
        """Return the lines that a query gives; None if it fails."""
        done = subprocess.run(
            [
                *(_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester"),
                *("-Atqc", text, database),
            ],
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines() if done.returncode == 0 else None


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server; skip the test where there is none to run."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if not _program("initdb"):
        pytest.skip("no PostgreSQL server is installed")
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    with TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        made = [_program("initdb"), "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "-N"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        server = Server(folder, _free_port(), user)
        server.start()
        yield server
        server.stop(signal.SIGQUIT)


def _program(name: str) -> str:
    """Return the path of one of the server's programs, "" if it is not there."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(newest[-1]) if newest else "")


def _free_port() -> int:
    with socket.socket() as result:
        result.bind(("127.0.0.1", 0))
        return int(result.getsockname()[1])
