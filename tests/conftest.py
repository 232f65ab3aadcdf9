"""Settings of every test."""

import functools
import gc
import os
import shutil
import sys
from pathlib import Path

# before NumPy, SciPy and torch are imported: on small matrices their threads only wait for each
# other, up to ten times as long as the work takes, and processes that tests start share the cores
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("COLUMNS", None)  # xdist gives its workers a terminal's: a pipe has none
sys.path.insert(0, str(Path(__file__).parents[1]))  # for the examples, which are not installed

_MEMORY = "/dev/shm"
_ROOM = 2**32  # bytes; the folders of the last three runs stay


def _can_hold_folders() -> bool:
    """Return whether Linux's file system in memory has room, and scripts may run there."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return False
    return not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC


if _can_hold_folders():  # a disk takes as long to store a trial as the test takes otherwise
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)  # pytest's name for where they lie

gc.disable()  # until all tests are collected: there is little to free


def pytest_collection_finish() -> None:
    """Prepare a process that runs tests; one that hands them out to others does not come here."""
    from alembic import util

    # of a migration of Optuna's: for each new database all of them are read
    util.load_python_file = functools.cache(util.load_python_file)  # type: ignore[assignment]
    gc.enable()
    gc.freeze()  # else each full collection looks at all the modules and tests again
