"""A storage of its own for each test, and processes to kill."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import autolr

Start = Callable[..., subprocess.Popen[str]]

_ROOT = Path(autolr.__file__).parents[1]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start ``python -c script *args``; what is still alive at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *args: object, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, args)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
