"""Files that are written whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path


def has_text(file: Path, text: str) -> bool:
    """Return whether ``file`` can be read and its content is ``text``.

    Args:
        file: Any path; one that cannot be read has no text.
        text: What to compare with, written in UTF-8.
    """
    try:
        return file.read_bytes() == _bytes(text)
    except OSError:
        return False


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write a file, or replace it: a reader sees the old content or the new one, never a part.

    The content goes to a draft beside the file, which then takes the file's name. A character
    device, such as /dev/stdout, is written directly.

    Args:
        file: Where to; a link stays a link.
        content: Bytes, or text that is written in UTF-8.

    Raises:
        OSError: If the file cannot be written; the old content stays.
    """
    data = content if isinstance(content, bytes) else _bytes(content)
    try:
        place = file.resolve()
    except RuntimeError:  # what `resolve` raises for a loop of links
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file)) from None
    if place.is_char_device():
        place.write_bytes(data)
        return
    if place.exists() and not place.is_file():
        kind = errno.EISDIR if place.is_dir() else errno.EINVAL  # a pipe may block forever
        raise OSError(kind, os.strerror(kind), str(file))
    draft = place.with_name(f"{place.name}.new")
    try:
        draft.write_bytes(data)
        draft.replace(place)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _bytes(text: str) -> bytes:
    """Return text in UTF-8; a lone surrogate, as in names of files, becomes an escape."""
    return text.encode("utf-8", "backslashreplace")
