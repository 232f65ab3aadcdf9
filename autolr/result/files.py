"""The folder of a result: JSON to load, a table of its scores, and a page for people."""

import json
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from autolr.atomic import write_atomically
from autolr.disk import check_folder, csv_cell, disk_errors, read_text, why_unread
from autolr.errors import ConfigError, StorageError
from autolr.result.result import Result

_LARGEST = 2**26  # bytes of a stored result: a search of 10,000 scores takes a fiftieth of it
_FILE, _TABLE, _PAGE = "result.json", "probes.csv", "result.html"


def check_save_to(path: object) -> None:
    """Refuse a folder into which `Result.save` could not write; nothing is written.

    Raises:
        ConfigError: If ``path`` is one, or no path; None passes.
    """
    if path is None:
        return
    if not isinstance(path, str | PathLike) or not str(path):
        raise ConfigError.of("save_to", path, "a folder")
    check_folder(Path(path), "save_to", (_FILE, _TABLE, _PAGE))


def write_result(result: Result, folder: Path) -> None:
    """Write a result into a folder, made if missing; see `Result.save`.

    Args:
        result: The result.
        folder: The folder; files in it are replaced one by one, each as a whole.

    Raises:
        StorageError: If the disk is full or read-only.
    """
    from autolr.result.page import result_page  # here: most results are never drawn

    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _FILE, json.dumps(result.to_dict(), indent=1) + "\n")
        write_atomically(folder / _TABLE, result.probes.map(csv_cell).to_csv(index=False))
        write_atomically(folder / _PAGE, result_page(result))


def save_after(result: Result, folder: str | Path | None, warn: Callable[[str], None]) -> None:
    """Write the result of a run that has ended, if a folder is given; an error does not lose it.

    Args:
        result: The result.
        folder: The folder.
        warn: Called with one line where the result cannot be written.
    """
    if folder is None:
        return
    try:
        result.save(folder)
    except (StorageError, OSError) as error:
        warn(f"AutoLR: the result is not saved: {error}")


def load_result(path: str | Path) -> Result:
    """Return the result that `Result.save` wrote into the folder ``path`` (or its file).

    Raises:
        ConfigError: If there is no such file, or it is not a result.
    """
    file = Path(path) / _FILE if Path(path).is_dir() else Path(path)
    if not os.path.exists(file):  # `Path.exists` raises for names that are too long
        raise ConfigError.of("path", str(path), f"a folder with {_FILE}")
    try:
        return Result.from_dict(json.loads(read_text(file, _LARGEST)))
    except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"{file} is not a result of autolr: {why_unread(error)}") from None
