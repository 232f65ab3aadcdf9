"""From a config to a LightningCLI, and its errors in one line."""

import contextlib
import copy
import logging
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
from autolr.config import Config, set_dotted
from autolr.errors import ConfigError
from autolr.objective.user_code import no_exit, users_code
from autolr.objective.users_namespace import namespace
from autolr.parser_errors import one_line
from autolr.users_modules import shortened_line

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_TRIAL_DEFAULTS = {  # unless the config says otherwise; a study of many runs is to be quiet
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
_NEEDED_BY = {"enable_progress_bar": "ProgressBar", "enable_checkpointing": "Checkpoint"}


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


def trial_config(fit: Mapping[str, Any], candidate: Candidate, folder: Path) -> dict[str, Any]:
    """Return the LightningCLI config of one trial.

    Args:
        fit: The LightningCLI part of the study's config; it is not changed.
        candidate: Its settings replace those of the config.
        folder: Where the trial writes, unless the config has a ``default_root_dir``.
    """
    merged: dict[str, Any] = copy.deepcopy(dict(fit))  # the parser writes into what it is given
    for name, value in candidate.settings:
        merged = set_dotted(merged, name, value)
    trainer = {} if merged.get("trainer") is None else merged["trainer"]
    if not isinstance(trainer, Mapping):
        raise ConfigError.of("trainer", trainer, "a mapping of the Trainer's arguments")
    callbacks = str(trainer.get("callbacks"))  # Lightning refuses one that its switch turns off
    quiet = {k: v for k, v in _TRIAL_DEFAULTS.items() if _NEEDED_BY.get(k, "\n") not in callbacks}
    defaults = {**quiet, "logger": False, "default_root_dir": str(folder)}
    return merged | {"trainer": {**defaults, **trainer}}


def instantiate(
    fit: dict[str, Any], folder: Path, seed: int, searched: Sequence[str] = ()
) -> "LightningCLI":
    """Parse and build model, data and trainer; the folder and the present one are importable.

    Args:
        fit: The LightningCLI config.
        folder: That of the config file.
        seed: For ``seed_everything``.
        searched: Dotted names that the space sets: an error about one of them names the space.
    """
    arguments, sys.argv = sys.argv, sys.argv[:1]  # LightningCLI warns about any other
    try:
        with parsing(searched), no_exit():
            return cli_of(namespace(fit, folder))(
                args={**fit, "seed_everything": seed},
                run=False,
                save_config_callback=None,
                parser_kwargs={"exit_on_error": False},
            )
    finally:
        sys.argv = arguments


@contextlib.contextmanager
def parsing(searched: Sequence[str] = ()) -> Iterator[None]:
    """Say in one line what the parser says on many; ``searched`` are names that the space sets."""
    try:
        yield
    except ArgumentError as error:
        message = one_line(str(error))
        guilty = any(_is_about(message, name) for name in searched)
        raise ConfigError(shortened_line(f"tune.space: {message}" if guilty else message)) from None


def _is_about(message: str, name: str) -> bool:
    parent, _, last = name.rpartition(".")
    said = message.partition(";")[0]  # what follows is what would work
    return said.startswith((f"{name} ", f"{name}.")) or (
        said.startswith(f"{parent}: ") and repr(last) in said
    )


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
