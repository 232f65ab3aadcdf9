"""Checkpoints that run no code when they are loaded."""

import importlib
import io
import pickle
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import torch

from autolr.errors import ConfigError

_SHOWN = 120  # characters of a reason: it stands at the end of a line


class UnreadableError(ValueError):
    """A checkpoint cannot be used; the message continues a sentence that names the file."""


def allowing(names: Sequence[str]) -> AbstractContextManager[object]:
    """Return a block in which a checkpoint may hold the classes called ``names``.

    Raises:
        ConfigError: If one cannot be imported.
    """
    return torch.serialization.safe_globals([(_imported(name), name) for name in names])


def load(file: Path, *, sums: bool = True) -> Any:
    """Return what a checkpoint holds: tensors, plain containers, and what is `allowing`.

    Tensors are read from the file when they are used.

    Args:
        file: The file.
        sums: Whether its check sums are compared, which reads all of it; torch does not.

    Raises:
        UnreadableError: If it is damaged, no checkpoint, or holds something else.
    """
    try:
        if not file.is_file():
            raise UnreadableError("it is no file")
        if sums:
            _check_sums(file)
        return torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # what is not ours may raise anything
        raise _unreadable(error, file) from None


def _imported(name: str) -> Any:
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        with suppress(ModuleNotFoundError, AttributeError):
            value: Any = importlib.import_module(".".join(parts[:length]))
            for part in parts[length:]:
                value = getattr(value, part)
            return value
    raise ConfigError.of("tune.safe_globals", name, "names that can be imported: module.Class")


def _check_sums(file: Path) -> None:
    with zipfile.ZipFile(file) as opened:
        damaged = opened.testzip()
    if damaged is not None:
        raise UnreadableError(f"it is damaged at {damaged}")


def not_allowed(file: Path | io.BytesIO) -> list[str]:
    """Return the names of classes in a checkpoint that torch would not load safely."""
    return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))


def _unreadable(error: Exception, file: Path) -> UnreadableError:
    if isinstance(error, UnreadableError):
        return error
    if isinstance(error, pickle.UnpicklingError):
        names: list[str] = []
        with suppress(Exception):  # as in `load`
            names = not_allowed(file)
        if names:
            listed = ", ".join(names)[:_SHOWN]
            return UnreadableError(f"it holds {listed}, which tune.safe_globals does not name")
    reason = " ".join(str(error).split()).rpartition("WeightsUnpickler error: ")[2][:_SHOWN]
    return UnreadableError(f"it is damaged or no checkpoint ({type(error).__name__}: {reason})")
