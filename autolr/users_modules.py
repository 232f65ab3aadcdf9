"""The user's modules: importable beside a config, imported for their names; errors in them."""

import importlib
import importlib.util
import re
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autolr.errors import ConfigError

_ERROR_LENGTH = 300  # characters: a parser may repeat a whole config
_INSTALLED = ("site-packages", "dist-packages")
_STANDARD = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def make_importable(folder: Path) -> None:
    """Put the present folder and the one of a config on Python's path, that one first."""
    for place in (str(Path.cwd()), str(folder)):
        if place not in sys.path:
            sys.path.insert(0, place)


def import_modules(fit: Mapping[str, Any], folder: Path) -> None:
    """Import the modules of a config's model, data, objective and own LightningCLI.

    Args:
        fit: A LightningCLI config.
        folder: The folder of the config.

    Raises:
        ConfigError: If a module is there and cannot be imported. One that is missing is left to
            the parser of the config, whose message names the setting.
    """
    make_importable(folder)
    for section in ("model", "data", "objective", "cli"):
        value = fit.get(section)
        path = value
        if isinstance(value, Mapping):
            path = value.get("class_path", value.get("function"))
        if isinstance(path, str) and (module := re.split(r":|\.(?=[^.]*$)", path)[:-1]):
            _import(module[0])


def error_line(error: BaseException) -> str:
    """Return an error of the user's code on one line: its type, message and place."""
    return shortened_line(f"{type(error).__name__}: {error}") + place_of(error)


def place_of(error: BaseException) -> str:
    """Return the innermost line of the user's own code in a traceback, " (FILE:LINE)", or ""."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if _is_users(file, str(frame.f_globals.get("__name__"))):
            return f" ({_shown(Path(file))}:{line})"
    return ""


def shortened_line(text: str) -> str:
    """Return a text on one line, at most 300 characters of it."""
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_LENGTH else line[: _ERROR_LENGTH - 1] + "…"


def _import(module: str) -> None:
    """Import a module; not the running script, whose names are known, and which would run again."""
    if _is_main(module):
        return
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"cannot import {module}: {error}") from error
    except Exception as error:
        raise ConfigError(f"cannot import {module}: {type(error).__name__}: {error}") from error


def _is_main(module: str) -> bool:
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None or "." in module or Path(script).stem != module:
        return False
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).samefile(script)


def _is_users(file: str, module: str) -> bool:
    if file.startswith("<") or module.partition(".")[0] == "autolr":
        return False
    path = Path(file)
    if any(name in path.parts for name in _INSTALLED):
        return False
    return not any(path.is_relative_to(folder) for folder in _STANDARD)


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
