"""Files and folders that the user names: reading, checking, and errors of disks in one line."""

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autolr.errors import ConfigError, StorageError
from autolr.predicates import is_file_path

# a full, read-only or broken disk, or a quota: the program did nothing wrong
_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}
_LARGEST = 2**20  # bytes of a config; YAML of this size takes ten seconds to parse
_FORMULA = re.compile("[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")  # the last four are full-width forms
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-](inf|nan)")


def read_text(file: Path, largest: int = _LARGEST) -> str:
    """Return the text of a file that the user names.

    Args:
        file: Its path.
        largest: Bytes that it may have.

    Raises:
        ConfigError: If it cannot be read, is not UTF-8, has more than ``largest`` bytes, or is no
            regular file: reading a pipe may block, a device may never end.
    """
    try:
        mode = file.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ConfigError(f"{file}: must be a regular file, got a pipe, a socket or a device")
        with file.open("rb") as opened:
            data = opened.read(largest + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except ConfigError:
        raise
    except ValueError as error:  # a NUL in the name
        raise ConfigError(f"{file}: {error}") from None
    if len(data) > largest:
        raise ConfigError(f"{file}: must have at most {largest:,} bytes, got more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: must be text in UTF-8") from None


def why_unread(error: Exception) -> str:
    """Return in words why a file of JSON is not one that autolr wrote.

    Args:
        error: What was raised as its values were read.
    """
    match error:
        case KeyError():
            return f"it has no {error.args[0]!r}"
        case json.JSONDecodeError():
            return f"it is no JSON ({error.msg}, line {error.lineno})"
        case ValueError():
            return str(error)
        case _:
            return "its values are of other types"


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, if it is there."""
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def csv_cell(value: object) -> object:
    """Return a value for a .csv file; text that a spreadsheet would run as a formula is quoted.

    >>> csv_cell("=1+1"), csv_cell("-1e-3"), csv_cell("-x"), csv_cell(-1.0)
    ("'=1+1", '-1e-3', "'-x", -1.0)
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def disk_error(error: BaseException, folder: Path) -> StorageError | None:
    """Return the error for a disk that is full, read-only or broken; None for other errors.

    Args:
        error: Any exception.
        folder: The folder to name if the exception names no file.
    """
    if not isinstance(error, OSError) or error.errno not in _DISKS:
        return None
    return StorageError(
        f"cannot write to {error.filename2 or error.filename or folder}: {error.strerror}"
    )


def check_folder(folder: Path, setting: str = "out", files: Iterable[str] = ()) -> None:
    """Refuse a folder for results that cannot be created; nothing is created.

    Args:
        folder: The folder.
        setting: Its name in an error.
        files: Names of files that will be written there.

    Raises:
        ConfigError: If it is not a folder, cannot be created or is not writable; or if one of
            ``files`` exists and is a folder or not writable.
    """
    if not is_file_path(folder):
        raise ConfigError.of(setting, str(folder), "the path of a folder")
    existing = next(p for p in (folder, *folder.absolute().parents) if os.path.lexists(p))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        why = "a file" if existing.exists() else "a broken link"
        why = "not writable" if existing.is_dir() else why
        raise ConfigError.of(
            setting, str(folder), f"a folder that can be made ({existing} is {why})"
        )
    for file in map(folder.joinpath, files):
        if os.path.lexists(file) and not (file.is_file() and os.access(file, os.W_OK)):
            why = "not writable" if file.is_file() else "no file"
            raise ConfigError.of(setting, str(folder), f"a folder to write to ({file} is {why})")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn errors of a disk in the block into `StorageError`; other errors pass."""
    try:
        yield
    except OSError as error:
        failure = disk_error(error, folder)
        if failure is None:
            raise
        raise failure from error


@contextmanager
def written(name: str, path: Path, expected: str) -> Iterator[None]:
    """Turn errors of writing in the block into one line that names the setting.

    Args:
        name: The setting that names ``path``.
        path: Where the block writes.
        expected: What would work, for the message.

    Raises:
        StorageError: If the disk is full, read-only or broken.
        ConfigError: If the path cannot be written to for another reason.
    """
    try:
        yield
    except OSError as error:
        if (full := disk_error(error, path)) is not None:
            raise full from error
        why = error.strerror or error
        raise ConfigError.of(name, str(path), f"{expected} ({why})") from None
