"""Refusing settings of a config that cannot work."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from autolr.errors import ConfigError, unknown_name


def check(name: str, value: object, expected: str, fits: bool) -> None:
    """Refuse the value of a setting that does not fit.

    Args:
        name: The setting, with its path in the config.
        value: What the user gave.
        expected: What would work, for the message.
        fits: Whether the value works.

    Raises:
        ConfigError: If it does not.
    """
    if not fits:
        raise ConfigError.of(name, value, expected)


def check_keys(section: str, mapping: Mapping[Any, Any], cls: Any) -> None:
    """Refuse a section with a key that its dataclass has no field for.

    Args:
        section: Its path in the config.
        mapping: The section.
        cls: The dataclass.

    Raises:
        ConfigError: For the first such key.
    """
    known = [field.name for field in dataclasses.fields(cls)]
    for key in mapping:
        if key not in known:
            raise ConfigError(f"{section}: {unknown_name('key', key, known)}")
