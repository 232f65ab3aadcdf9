"""Parts of a config in YAML files of their own, as LightningCLI reads and writes them."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolr.disk import read_text
from autolr.errors import ConfigError
from autolr.strict_yaml import parse_yaml

_YAML = (".yaml", ".yml", ".json")  # JSON is YAML
_CLASS = {"class_path", "init_args", "dict_kwargs"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: its dotted name, the folder of its file, and the files around it."""

    name: str
    folder: Path
    files: tuple[Path, ...] = ()

    def under(self, key: object) -> "_Place":
        """Return the place of a value in the mapping that stands here."""
        return _Place(f"{self.name}.{key}", self.folder, self.files)


def with_files(fit: Mapping[str, Any], folder: Path, sure: Collection[str]) -> dict[str, Any]:
    """Return a config in which the files that it names in place of mappings are written out.

    A name of a file is text that ends in .yaml, .yml or .json; it is relative to the file that has
    it. Where such text may be an argument of the user's as well, it is left alone, unless it names
    a whole section or a class with its arguments, and the parser, which looks in the present
    folder, would not find it.

    Args:
        fit: LightningCLI's part of a config.
        folder: That of its file.
        sure: The dotted names of values that are mappings whatever the user's classes take.

    Raises:
        ConfigError: If a file of these cannot be read, or has itself inside.
    """
    return {key: _written_out(value, _Place(key, folder), sure) for key, value in fit.items()}


def _written_out(value: Any, place: _Place, sure: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _written_out(inner, place.under(key), sure) for key, inner in value.items()}
    if isinstance(value, list):
        return [_written_out(inner, place.under(index), sure) for index, inner in enumerate(value)]
    if not (isinstance(value, str) and value.endswith(_YAML)):
        return value
    file = place.folder / value
    if place.name in sure:
        found: dict[str, Any] | None = _read(file, place)
    else:
        found = None if os.path.exists(value) else _recognized(file, place)
    if found is None:
        return value
    return _written_out(found, _Place(place.name, file.parent, (*place.files, file)), sure)


def _read(file: Path, place: _Place) -> dict[str, Any]:
    if file.resolve() in [outer.resolve() for outer in place.files]:
        raise ConfigError(f"{place.name}: {file} has itself inside")
    try:
        return parse_yaml(read_text(file), str(file))
    except ConfigError as error:
        raise ConfigError(f"{place.name}: {error}") from None


def _recognized(file: Path, place: _Place) -> dict[str, Any] | None:
    """Return what is in a file if it is a section or a class with its arguments, else None."""
    if not os.path.isfile(file):
        return None
    try:
        found = _read(file, place)
    except ConfigError:  # it may be a file of any kind
        return None
    whole = "." not in place.name
    return found if whole or ("class_path" in found and found.keys() <= _CLASS) else None
