"""Workers that are processes of this machine."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from autolr.driver.local import LocalEngine
from autolr.driver.messages import FromWorker, Lost


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    made = LocalEngine([None], tmp_path)
    yield made
    made.close()


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group whose processes get less memory than torch takes to import."""
    root = Path("/sys/fs/cgroup")
    version_1 = (root / "memory").is_dir()
    group = (root / "memory" if version_1 else root) / f"small_{os.getpid()}"
    try:
        group.mkdir()
        limit = "memory.limit_in_bytes" if version_1 else "memory.max"
        (group / limit).write_text(str(40 * 2**20))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        pytest.skip("no control group for memory can be made here")
    yield group
    group.rmdir()


def test_who_runs_out_of_memory_is_at_fault(tmp_path: Path, small_memory: Path) -> None:
    engine = LocalEngine([None], tmp_path, modules=("torch",))
    (small_memory / "cgroup.procs").write_text(str(start(engine)))
    loss = first_message(engine)
    engine.close()
    assert isinstance(loss, Lost)
    assert "out of memory" in loss.why
    assert loss.own_fault


def test_who_is_killed_is_not(engine: LocalEngine) -> None:
    os.kill(start(engine), signal.SIGKILL)
    assert first_message(engine) == Lost("it was ended by SIGKILL", own_fault=False)


def test_memory_is_taken_from_a_worker_before_its_driver(engine: LocalEngine) -> None:
    score = Path(f"/proc/{start(engine)}/oom_score_adj")
    assert int(score.read_text()) > int(Path("/proc/self/oom_score_adj").read_text())


def start(engine: LocalEngine) -> int:
    engine.start(0)
    lease = engine.lease(0)
    assert lease is not None
    return lease.pid


def first_message(engine: LocalEngine) -> FromWorker:
    end = time.monotonic() + 60
    while not (heard := engine.poll(1.0)):
        assert time.monotonic() < end
    return heard[0][1]
