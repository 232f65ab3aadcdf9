"""The user's modules: importable beside a config, and imported for the names they register."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autolr.errors import ConfigError


def make_importable(folder: Path) -> None:
    """Put the present folder and the one of a config on Python's path, that one first."""
    for place in (str(Path.cwd()), str(folder)):
        if place not in sys.path:
            sys.path.insert(0, place)


def import_modules(fit: Mapping[str, Any], folder: Path) -> None:
    """Import the modules of a config's model, data and objective.

    Args:
        fit: A LightningCLI config.
        folder: The folder of the config.

    Raises:
        ConfigError: If a module is there and cannot be imported. One that is missing is left to
            the parser of the config, whose message names the setting.
    """
    make_importable(folder)
    for section in ("model", "data", "objective"):
        value = fit.get(section)
        path = value.get("class_path") if isinstance(value, Mapping) else value
        if isinstance(path, str) and "." in path:
            _import(path.rpartition(".")[0])


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"cannot import {module}: {error}") from error
    except Exception as error:
        raise ConfigError(f"cannot import {module}: {type(error).__name__}: {error}") from error
