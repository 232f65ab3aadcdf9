"""Files of the user's: what is read may be no file, a disk may be full, a table is opened."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autolr.errors import ConfigError, StorageError
from autolr.predicates import is_file_path

# a full, read-only or broken disk, and a limit of the user's: no fault of what is written
_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}
_LARGEST = 2**20  # bytes of a config, which takes ten seconds to read
_FORMULA = re.compile("[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")  # the last four are the wide ones
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-](inf|nan)")


def read_text(file: Path, largest: int = _LARGEST) -> str:
    """Return the text of a file that the user names.

    Raises:
        ConfigError: If it cannot be read, is not UTF-8, has more than ``largest`` bytes, or is no
            regular file: a pipe may never say a word, a device never end.
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
    except ValueError as error:  # of the name
        raise ConfigError(f"{file}: {error}") from None
    if len(data) > largest:
        raise ConfigError(f"{file}: must have at most {largest:,} bytes, got more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: must be text in UTF-8") from None


def csv_cell(value: object) -> object:
    """Return a value for a .csv file, in which programs take some text for a formula.

    >>> csv_cell("=1+1"), csv_cell("-1e-3"), csv_cell("-x"), csv_cell(-1.0)
    ("'=1+1", '-1e-3', "'-x", -1.0)
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


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
    if not is_file_path(folder):
        raise ConfigError.of(setting, str(folder), "the path of a folder")
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


@contextmanager
def written(name: str, path: Path, expected: str) -> Iterator[None]:
    """Say of an error in the block, in one line, why the setting ``name`` cannot be written to.

    Raises:
        StorageError: If a disk is to blame.
        ConfigError: If ``path`` is not ``expected``.
    """
    try:
        yield
    except OSError as error:
        if (full := disk_error(error, path)) is not None:
            raise full from error
        why = error.strerror or error
        raise ConfigError.of(name, str(path), f"{expected} ({why})") from None
