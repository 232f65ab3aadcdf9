"""Writing to the folder of results, whose disk may be full."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autolr.errors import StorageError

_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # no fault of what is written


def disk_error(error: BaseException, folder: Path) -> StorageError | None:
    """Return in one line that a disk is full or read-only; None: ``error`` does not say so.

    Args:
        error: Any.
        folder: Named where the error names no file.
    """
    if not isinstance(error, OSError) or error.errno not in _DISKS:
        return None
    return StorageError(
        f"cannot write to {error.filename2 or error.filename or folder}: {error.strerror}"
    )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Raise what `disk_error` makes of an error in the block; others pass."""
    try:
        yield
    except OSError as error:
        told = disk_error(error, folder)
        if told is None:
            raise
        raise told from error


def has_text(file: Path, text: str) -> bool:
    """Return whether ``file`` can be read and is ``text``."""
    try:
        return file.read_bytes() == text.encode()
    except OSError:
        return False


def write_whole(file: Path, text: str) -> None:
    """Write a text file, or replace it; never half of it."""
    draft = file.with_name(f"{file.name}.new")
    try:
        draft.write_bytes(text.encode())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
