"""Which of Lightning's two names a config's model and data go by."""

import contextlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autolr.callbacks.namespaces import namespace_of
from autolr.users_modules import make_importable

if TYPE_CHECKING:
    from pathlib import Path

_OLD = "pytorch_lightning"


def namespace(fit: Mapping[str, Any], folder: "Path") -> str:
    """Return "pytorch_lightning" for a config that uses it, else "lightning.pytorch".

    The config's own LightningCLI, model and data decide, by what they derive from; where none can
    be imported, class paths anywhere in the config. The folder of the config and the present one
    are importable from now on.

    Args:
        fit: The LightningCLI config.
        folder: That of the config file.
    """
    make_importable(folder)
    for section in ("cli", "model", "data"):
        with contextlib.suppress(Exception):  # the parser imports it again, and says what is wrong
            kind = _kind(fit[section])
            named = namespace_of(kind) if inspect.isclass(kind) else None
            if named is not None:
                return named
    return _OLD if _mentions_old(fit) else "lightning.pytorch"


def _kind(section: Any) -> Any:
    """Return the class that a section names, or the one that its function makes."""
    path = section["class_path"] if isinstance(section, Mapping) else section
    named = pkgutil.resolve_name(path)
    if inspect.isclass(named):
        return named
    made = typing.get_type_hints(named).get("return")
    return made if inspect.isclass(made) else next(_clis(inspect.getmodule(named)))


def _clis(module: Any) -> Iterator[type]:
    """Yield the LightningCLIs that a module has, of which a function of it makes one."""
    for value in vars(module).values():
        if inspect.isclass(value) and "LightningCLI" in (base.__name__ for base in value.__mro__):
            yield value


def _mentions_old(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_mentions_old, value.values()))
    if isinstance(value, list):
        return any(map(_mentions_old, value))
    return isinstance(value, str) and value.startswith(f"{_OLD}.")
