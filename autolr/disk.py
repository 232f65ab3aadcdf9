"""Writing to the folder of results, whose disk may be full."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autolr.errors import ConfigError, StorageError

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


def check_folder(folder: Path, setting: str = "out", files: Iterable[str] = ()) -> None:
    """Refuse a folder for results that cannot be made; nothing is made.

    Args:
        folder: The folder.
        setting: What it is called in an error.
        files: Names of files that will be written there.

    Raises:
        ConfigError: If it is no folder, cannot be one, or cannot be written to; or if a folder or
            what cannot be written to is in the place of a file.
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(folder / "x")
    except (OSError, ValueError) as error:  # a name too long, with a NUL, or in no encoding
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError.of(setting, str(folder), f"a folder that can be made ({why})") from None
    place = next(p for p in (folder, *folder.absolute().parents) if os.path.lexists(p))
    if not place.is_dir() or not os.access(place, os.W_OK):
        why = "a file" if place.exists() else "a link to nothing"
        why = "not writable" if place.is_dir() else why
        raise ConfigError.of(setting, str(folder), f"a folder that can be made ({place} is {why})")
    for file in map(folder.joinpath, files):
        if os.path.lexists(file) and not (file.is_file() and os.access(file, os.W_OK)):
            why = "not writable" if file.is_file() else "no file"
            raise ConfigError.of(setting, str(folder), f"a folder to write to ({file} is {why})")


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
