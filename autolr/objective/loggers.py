"""The loggers of a run, which its check does not make: some begin an experiment at once."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.imports import RequirementCache

from autolr.callbacks.namespaces import LOGGERS
from autolr.class_paths import imported
from autolr.errors import ConfigError
from autolr.objective.own_cli import fit_parser

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_NAME = "trainer.logger"


def check_loggers(cli: "LightningCLI", args: Mapping[str, Any]) -> None:
    """Refuse loggers that cannot be made: their arguments, and packages that are missing.

    Args:
        cli: Its parser is used.
        args: What that parser gets of a run.

    Raises:
        ArgumentError: If it does not take them.
        ConfigError: If a logger of Lightning's needs a package.
    """
    found = fit_parser(cli).parse_object(dict(args)).get(_NAME)
    for one in found if isinstance(found, list) else [found]:
        path = getattr(one, "class_path", None)
        if path is not None and (needed := _missing(imported(_NAME, path))):
            raise ConfigError(
                f"{_NAME}: {path.rpartition('.')[2]} needs {' or '.join(needed)}, which is not "
                f"installed: pip install '{needed[0]}'"
            )


def _missing(kind: Any) -> list[str]:
    """Return the packages of which a class needs one and has none."""
    known = list(_requirements(kind))
    first: dict[str, str] = {}  # by package: a later version is for a part of its arguments
    for one in known:
        wanted = str(one.requirement)
        first.setdefault(re.split(r"[<>=~!]", wanted)[0], wanted)
    return [] if any(known) else list(first.values())


def _requirements(kind: Any) -> Iterator[RequirementCache]:
    """Yield what Lightning's modules look for before they make a class, or one of its bases."""
    for base in getattr(kind, "__mro__", ()):
        if base.__module__.startswith(LOGGERS):
            for value in vars(sys.modules[base.__module__]).values():
                if isinstance(value, RequirementCache):
                    yield value
