"""From a config to a LightningCLI, and its errors in one line."""

import contextlib
import copy
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentError

from autolr.callbacks.namespaces import (
    LOGGERS,
    MisconfigurationException,
    cli_of,
    either,
)
from autolr.candidate import Candidate
from autolr.config import CLI, OF_FIT, Config, set_dotted
from autolr.errors import ConfigError, MonitorError
from autolr.objective.own_cli import Wanted, make_cli
from autolr.objective.user_code import no_exit, users_code
from autolr.objective.users_namespace import namespace
from autolr.parser_errors import one_line
from autolr.users_modules import shortened_line

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_QUIET = {  # where neither the config nor its CLI says otherwise: a study has many runs
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "logger": False,
}
_NO_CLASS = re.compile(r"(model|data)\.init_args: \S*\.Lightning(Data)?Module does not take .*")
_FRACTION = re.compile(r" must be int( or \w+)*, got -?\d+\.\d")
_OF_AN_OWN_CLI = re.compile(
    r"unknown key '\w+'; |(model|data) must have |model(\.init_args)?: \S+ needs |\S+ is missing$"
)


@contextlib.contextmanager
def quiet_lightning(config: Config, level: int = logging.ERROR) -> Iterator[None]:
    """Let Lightning log nothing under ``level`` in a block; under ERROR Python's warnings stay.

    What the config names is imported first: a namespace that is loaded sets its level anew.

    Args:
        config: The whole config.
        level: A level of `logging`.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    with warnings.catch_warnings():
        if level >= logging.ERROR:
            warnings.simplefilter("ignore")
        cli_of(namespace(config.fit, config.folder))
        levels = [logger.level for logger in loggers]
        try:
            for logger in loggers:
                logger.setLevel(level)
            yield
        finally:
            for logger, before in zip(loggers, levels, strict=True):
                logger.setLevel(before)


def trial_config(fit: Mapping[str, Any], candidate: Candidate) -> dict[str, Any]:
    """Return the LightningCLI config of one trial.

    Args:
        fit: The LightningCLI part of the study's config; it is not changed.
        candidate: Its settings replace those of the config.
    """
    merged: dict[str, Any] = copy.deepcopy(dict(fit))  # the parser writes into what it is given
    for name, value in candidate.settings:
        merged = set_dotted(merged, name, value)
    trainer = {} if merged.get("trainer") is None else merged["trainer"]
    if not isinstance(trainer, Mapping):
        raise ConfigError.of("trainer", trainer, "a mapping of the Trainer's arguments")
    return merged | {"trainer": dict(trainer)}


def quiet_in(folder: Path) -> dict[str, Any]:
    """Return the Trainer's arguments of a trial, where neither the config nor its CLI has others.

    Args:
        folder: Where the trial writes.
    """
    return {**_QUIET, "default_root_dir": str(folder)}


def instantiate(
    config: Config,
    fit: Mapping[str, Any],
    searched: Sequence[str] = (),
    quiet: Mapping[str, Any] | None = None,
) -> "LightningCLI":
    """Parse and build model, data and trainer; the folder and the present one are importable.

    Args:
        config: The whole config.
        fit: Its LightningCLI part, with the settings of a run.
        searched: Dotted names that the space sets: an error about one of them names the space.
        quiet: Arguments of the Trainer where neither the config nor its CLI has others.
    """
    arguments, sys.argv = sys.argv, sys.argv[:1]  # LightningCLI warns about any other
    named = fit.get(CLI)
    try:
        with parsing(searched, own=named is not None), no_exit():
            wanted = Wanted(parsed(fit, config.seed), quiet or {})
            return make_cli(named, namespace(fit, config.folder), wanted)
    finally:
        sys.argv = arguments


def parsed(fit: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what the parser of a LightningCLI gets of a config.

    Args:
        fit: The LightningCLI part.
        seed: For ``seed_everything``.
    """
    sections = {key: value for key, value in fit.items() if key not in (CLI, *OF_FIT)}
    return sections | {"seed_everything": seed}


@contextlib.contextmanager
def parsing(searched: Sequence[str] = (), *, own: bool = True) -> Iterator[None]:
    """Say in one line what the parser says on many.

    Args:
        searched: Names that the space sets.
        own: Whether the config names a LightningCLI of the user's.
    """
    try:
        yield
    except ArgumentError as error:
        message = _NO_CLASS.sub(r"\1 must have a class_path", one_line(str(error)))
        if not own and _OF_AN_OWN_CLI.match(message):
            message += "; if your own LightningCLI sets it, write cli: my_project.MyCLI"
        if any(_is_about(message, name) for name in searched):
            hint = "; a range of whole numbers has type: int" if _FRACTION.search(message) else ""
            message = f"tune.space: {message}{hint}"
        raise ConfigError(shortened_line(message)) from None


def _is_about(message: str, name: str) -> bool:
    parent, _, last = name.rpartition(".")
    said = message.partition(";")[0]  # what follows is what would work
    return said.startswith((f"{name} ", f"{name}.", f"unknown key {name!r}")) or (
        said.startswith(f"{parent}: ") and repr(last) in said
    )


@contextlib.contextmanager
def monitor_of_tune() -> Iterator[None]:
    """Name the monitor as the config does, where it is that of the section ``tune:``."""
    try:
        yield
    except MonitorError as error:
        raise ConfigError(f"tune.{error}") from None


@contextlib.contextmanager
def lightning_errors(folder: Path) -> Iterator[None]:
    """As `users_code`, where Lightning also says that a config is wrong.

    Args:
        folder: Where a run writes.
    """
    with users_code(folder):
        try:
            yield
        except either(MisconfigurationException) as error:  # Lightning's name for a wrong config
            raise ConfigError(shortened_line(str(error))) from error
