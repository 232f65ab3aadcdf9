"""The function of a path: one that this process was given, or one that it imports."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autolr.class_paths import imported
from autolr.config import FUNCTION, OBJECTIVE, Config, can_be_fitted, is_importable
from autolr.errors import ConfigError
from autolr.objective.function_path import check_takes_a_trial
from autolr.users_modules import make_importable

_SETTING = f"{OBJECTIVE}.{FUNCTION}"
_given: dict[str, Callable[..., Any]] = {}  # functions of studies in this process, by path
_importing: list[str] = []  # paths that are being imported


def check_importable(config: Config) -> None:
    """Refuse a function that workers cannot import.

    Raises:
        ConfigError: If the config names such a function.
    """
    if config.names_function and not can_be_fitted(config.fit):
        path = config.fit[OBJECTIVE][FUNCTION]
        expected = (
            "one that workers can import, a function at the top of a .py file (not a lambda, a "
            "function within a function, a method, or one of an interactive session); or train "
            "in this process: workers=1, no trial_timeout, SQLite, one GPU at most"
        )
        raise ConfigError.of(_SETTING, path, expected)


@contextmanager
def given(path: str, function: Callable[..., Any]) -> Iterator[None]:
    """Have `function_of` return a function in the block, whether it can be imported or not.

    Args:
        path: Its path.
        function: The function.
    """
    if _importing:
        raise ConfigError(
            f"autolr.tune was called while {_importing[-1]} was imported, as workers do: "
            f'call it under `if __name__ == "__main__":`'
        )
    before = _given.get(path)
    _given[path] = function
    try:
        yield
    finally:
        del _given[path]
        if before is not None:
            _given[path] = before


def function_of(path: str, folder: Path) -> Callable[..., Any]:
    """Return the function of a path.

    Args:
        path: As ``module:name``.
        folder: From which its module is imported; the present one is importable too.

    Raises:
        ConfigError: If it cannot be imported, or is no function.
    """
    if path in _given:
        return _given[path]
    if not is_importable(path):
        expected = "the path of a function at the top of a module, as module:name"
        raise ConfigError.of(_SETTING, path, expected)
    make_importable(folder)
    _importing.append(path)
    try:
        function = imported(_SETTING, path, "function")
    finally:
        _importing.pop()
    check_takes_a_trial(function)
    made: Callable[..., Any] = function
    return made
