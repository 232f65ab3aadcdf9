"""Classes that a config names by their path, made as jsonargparse makes them."""

import pkgutil
from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from autolr.errors import ConfigError, unknown_name
from autolr.parser_errors import one_line
from autolr.users_modules import error_line


def imported(setting: str, path: str, kind: str = "class") -> Any:
    """Return what a path such as ``my_project.MyClass`` names.

    Args:
        setting: The setting that has the path.
        path: With dots, or ``module:name``.
        kind: What it is the path of, for messages.

    Raises:
        ConfigError: If it cannot be imported, whatever its module raises.
    """
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())
    except Exception as error:
        reason = error_line(error)
    expected = f"the path of a {kind} that can be imported ({reason})"
    raise ConfigError.of(setting, path, expected)


def arguments_of(made: type) -> list[str]:
    """Return the arguments that a class takes, those that its ``**kwargs`` pass on included."""
    return _names_in(_parser_of(made, "made"), "made")


def _parser_of(made: type, key: str) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(made, key)
    return parser


def _names_in(parser: ArgumentParser, key: str) -> list[str]:
    defaults = parser.get_defaults().get(key)
    return [] if defaults is None else [*vars(defaults)]  # None: it takes no argument


def instantiated(setting: str, made: type, arguments: Mapping[str, Any]) -> Any:
    """Return an object of a class.

    Args:
        setting: The setting that names the class, for messages.
        made: The class.
        arguments: Its ``init_args``; they are parsed by its annotations.

    Raises:
        ConfigError: If it does not take an argument, misses one, or one has another type.
    """
    key = f"{setting}.init_args"
    parser = _parser_of(made, key)
    known = _names_in(parser, key)
    for name in arguments:
        if name not in known:
            raise ConfigError(f"{key}: {unknown_name('argument', name, known)}")
    nested: Mapping[str, Any] = arguments
    for part in reversed(key.split(".")):
        nested = {part: nested}
    try:
        parsed = parser.parse_object(nested if arguments else {})
    except ArgumentError as error:
        raise ConfigError(one_line(str(error))) from None
    instantiate = getattr(parser, "instantiate", parser.instantiate_classes)  # the former name last
    return instantiate(parsed)[key]
