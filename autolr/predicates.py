"""Whether a value from the user is what a setting takes."""

import re
from pathlib import Path

_MOST = 10**9  # of what is counted; more is a slip
_LONGEST_NAME = 255  # bytes of a part of a path, on all usual systems
_LONGEST_PATH = 3800  # bytes, of 4096; files of autolr's own follow
_LONGEST = 1e9  # seconds: 30 years
_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]*"  # no control characters, no half ones
HOST = r"[^\s/@?#\x00-\x1f\ud800-\udfff]{1,253}"


def is_text(value: object, pattern: str = _LINE) -> bool:
    """Return whether it is text of one line that is not blank, and fits ``pattern``."""
    return (
        isinstance(value, str) and value.strip() != "" and re.fullmatch(pattern, value) is not None
    )


def is_whole(value: object, least: int, most: int = _MOST) -> bool:
    """Return whether it is a whole number from ``least`` to ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def whole(value: object, least: int, most: int = _MOST) -> str:
    """Return in words what `is_whole` takes: the end that ``value`` misses."""
    too_large = isinstance(value, int) and value > most
    return f"a whole number of at {f'most {most}' if too_large else f'least {least}'}"


def is_seconds(value: object) -> bool:
    """Return whether it is a time above 0, or None."""
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LONGEST


def is_path(value: object) -> bool:
    """Return whether it can be the path of a file."""
    text = str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not is_text(text):
        return False
    parts = [len(part.encode()) for part in text.split("/")]
    return max(parts) <= _LONGEST_NAME and sum(parts) + len(parts) <= _LONGEST_PATH
