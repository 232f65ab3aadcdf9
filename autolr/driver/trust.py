"""Which folder and file a driver and the workers of other hosts trust.

A worker trains what its driver says, which is as good as running its code. So what says where the
driver is must be from this user, and no one else may be able to change it.
"""

import errno
import os
import stat
from pathlib import Path

from autolr.errors import ConfigError


def check_shared(folder: Path) -> str | None:
    """Refuse a folder for results that everybody can write to.

    Returns:
        A line if its group can; else, and if it is not there yet, None.

    Raises:
        ConfigError: If everybody can.
    """
    try:
        mode = folder.stat().st_mode
    except (OSError, ValueError):  # ValueError: no path at all, as a database may name it
        return None
    if mode & stat.S_IWOTH:
        expected = f"a folder that not everybody can write to (chmod o-w {folder})"
        raise ConfigError.of("out", str(folder), expected)
    if mode & stat.S_IWGRP:
        return (
            f"the group of {folder} can write to it, and so change what workers train; if it is "
            f"not yours alone: chmod g-w {folder}"
        )
    return None


def read_private(file: Path, longest: int) -> bytes | None:
    """Return what is in a file that this user wrote; None: it cannot be read, or is too long.

    Args:
        file: The file.
        longest: The most bytes that it may have.

    Raises:
        ConfigError: If it is another user's, or another one can write to it, or it is a link.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            return None
        raise ConfigError.of(str(file), "a link", "a file of this user") from None
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise ConfigError.of(str(file), "another kind of file", "a file of this user")
        if status.st_uid != os.getuid():
            expected = f"a file of this user (uid {os.getuid()})"
            raise ConfigError.of(str(file), f"one of uid {status.st_uid}", expected)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigError.of(
                str(file), oct(stat.S_IMODE(status.st_mode)), "writable for its owner only"
            )
        data = opened.read(longest + 1)
    return data if len(data) <= longest else None
