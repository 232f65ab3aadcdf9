"""Settings of every test."""

import os
import shutil
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
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
