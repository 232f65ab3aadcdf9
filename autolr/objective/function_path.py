"""The path of a Python function, by which workers find it."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from autolr.config import LOCAL, OBJECTIVE
from autolr.errors import ConfigError

_MAIN = "__main__"


class FunctionPath(NamedTuple):
    """Where a function is: ``module:name``, and the folder from which the module is imported."""

    path: str
    folder: Path


def path_of(function: Callable[..., Any]) -> FunctionPath:
    """Return the path of a function; ``<`` is in one that cannot be imported.

    A function of a script is found by the script's name, as multiprocessing does it.

    Raises:
        ConfigError: If it cannot be called with a trial.
    """
    check_takes_a_trial(function)
    module = getattr(function, "__module__", None) or type(function).__module__
    named = getattr(function, "__qualname__", None)
    name = str(named or f"<{type(function).__name__}>")
    known = sys.modules.get(module)
    file = getattr(known, "__file__", None)
    if module == _MAIN:
        module, file = _of_script(known, file)
    if file is None or not Path(file).is_file() or not _is_at(function, known, name):
        return FunctionPath(f"{module}:{name if LOCAL in name else f'<{name}>'}", Path.cwd())
    depth = module.count(".") + (Path(file).name == "__init__.py")
    parents = Path(file).resolve().parents
    return FunctionPath(f"{module}:{name}", parents[min(depth, len(parents) - 1)])


def check_takes_a_trial(function: Any) -> None:
    """Refuse what cannot be called with a trial alone.

    Raises:
        ConfigError: If it is no such function.
    """
    expected = "a function that takes one argument, the trial"
    if not callable(function) or isinstance(function, type):
        raise ConfigError.of(OBJECTIVE, function, expected)
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise ConfigError.of(OBJECTIVE, function, f"{expected} ({error})") from None
    except ValueError:  # it has no signature: the call will show
        pass


def _is_at(function: object, module: object, name: str) -> bool:
    """Return whether a name leads to this very function, and not to one that it wraps, say."""
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is function


def _of_script(main: Any, file: str | None) -> tuple[str, str | None]:
    """Return the name under which the main module can be imported, and its file."""
    spec = getattr(main, "__spec__", None)  # of python -m package.module
    if spec is not None:
        return spec.name, spec.origin
    if file is None or Path(file).suffix != ".py" or not Path(file).stem.isidentifier():
        return _MAIN, None
    return Path(file).stem, file
