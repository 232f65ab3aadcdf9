"""Checks of values from the user."""

import numbers
import re
from pathlib import Path
from typing import TypeGuard

_MOST = 10**9  # of trials or steps; more is a typing error
_LONGEST_NAME = 255  # bytes of a part of a path: the limit of common file systems
_LONGEST_PATH = 3800  # bytes of the 4096 of Linux; autolr appends names of its files
_LONGEST_TIME = 1e9  # seconds, which are 30 years; threads cannot wait much longer
_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]*"  # no control characters, no lone surrogates
STUDY_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"  # lock files and folders are called so
HOST = r"[^\s/@?#\x00-\x1f\ud800-\udfff]{1,253}"


def is_text(value: object, pattern: str = _LINE) -> bool:
    """Return whether a value is one line of text that is not blank.

    Args:
        value: Anything.
        pattern: A regular expression that the whole text must match.
    """
    return (
        isinstance(value, str) and value.strip() != "" and re.fullmatch(pattern, value) is not None
    )


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a real number, one of NumPy too; True and False are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_whole(value: object, least: int, most: int = _MOST) -> bool:
    """Return whether a value is an int from ``least`` to ``most``; True and False are not.

    Args:
        value: Anything.
        least: The smallest number that is accepted.
        most: The largest one.
    """
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def whole(value: object, least: int, most: int = _MOST) -> str:
    """Return what `is_whole` accepts, in words: the limit that ``value`` violates.

    Args:
        value: What `is_whole` refused.
        least: As there.
        most: As there.
    """
    too_large = isinstance(value, int) and value > most
    return f"a whole number of at {f'most {most}' if too_large else f'least {least}'}"


def is_seconds(value: object) -> bool:
    """Return whether a value is a number of seconds above 0, or None for no limit."""
    if value is None:
        return True
    return is_number(value) and 0 < value <= _LONGEST_TIME


def is_file_path(value: object) -> bool:
    """Return whether a value can be the path of a file or folder."""
    text = str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not is_text(text):
        return False
    parts = [len(part.encode()) for part in text.split("/")]
    return max(parts) <= _LONGEST_NAME and sum(parts) + len(parts) <= _LONGEST_PATH
