"""What the command line takes, and reading it."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from autolr._version import __version__
from autolr.errors import ConfigError
from autolr.parser_errors import one_line
from autolr.predicates import is_text
from autolr.quoting import shortened
from autolr.storage_url import shown, without_urls

_STORAGE = "sqlite:///autolr.db"  # as in the section `tune:`


def read(words: Sequence[str]) -> tuple[str | None, Namespace]:
    """Return the command, if there is one, and its arguments.

    Raises:
        ConfigError: If they cannot be read, or one is blank or no text of one line.
    """
    try:
        arguments = parser().parse_args(list(words))
    except ArgumentError as error:
        message = shortened(without_urls(one_line(str(error))))
        raise ConfigError(f"{message} (autolr --help lists what there is)") from None
    command: str | None = arguments.subcommand
    given = arguments if command is None else arguments[command]
    for name, value in vars(given).items():
        if isinstance(value, str) and not is_text(value):
            got = shown(value) if name == "storage" else value
            raise ConfigError.of(name, got, "text of one line that is not blank")
    return command, given


@cache  # it takes 40 ms to build, and parsing leaves it as it is
def parser() -> ArgumentParser:
    """Return the parser of all commands."""
    whole = ArgumentParser(
        prog="autolr",
        description="Tune learning-rate schedules.",
        exit_on_error=False,
        version=__version__,
        env_prefix=False,
        default_env=False,
    )
    commands = whole.add_subcommands(required=False, title="commands")
    tune = _command(commands, "tune", "search for a schedule, or go on with a search")
    tune.add_argument("config", type=str, help="a LightningCLI config with a section 'tune:'")
    tune.add_argument("--trials", type=_as(int), default=None, help="trials of the study in all")
    tune.add_argument(
        "--timeout", type=_as(float), default=None, help="seconds after which no trial is started"
    )
    tune.add_argument(
        "--workers",
        type=_whole_or_name,
        default=None,
        help="trials at a time; auto: one for each GPU",
    )
    tune.add_argument(
        "--engine", type=str, default=None, help="what runs the workers: local, ray or remote"
    )
    tune.add_argument(
        "--listen", type=str, default=None, help="address at which remote workers reach this host"
    )
    tune.add_argument("--storage", type=str, default=None, help="URL, as sqlite:///autolr.db")
    tune.add_argument("--study", type=str, default=None, help="name of the study")
    tune.add_argument("--out", type=str, default=None, help="folder for results")
    tune.add_argument("--fresh", action="store_true", help="forget a study of this name first")
    tune.add_argument(
        "--dry-run", action="store_true", help="check everything up to the first training step"
    )
    worker = _command(commands, "worker", "train for a study whose driver is elsewhere")
    worker.add_argument("config", type=str, help="the driver's config, in the same folder")
    worker.add_argument(
        "--storage",
        type=str,
        default=None,
        help="URL of the study, which names its driver's folder",
    )
    worker.add_argument("--study", type=str, default=None, help="name of the study")
    worker.add_argument("--out", type=str, default=None, help="the driver's folder for results")
    worker.add_argument(
        "--wait", type=_as(float), default=600.0, help="seconds without a driver before it leaves"
    )
    fit = _command(commands, "fit", "train one run, its peak found inside it")
    fit.add_argument("config", type=str, help="a LightningCLI config, or best.yaml of a study")
    fit.add_argument("--out", type=str, default=None, help="folder for results")
    show = _command(commands, "show", "list the studies of a storage, or the trials of one")
    _add_stored(show)
    show.add_argument("--json", action="store_true", help="as JSON, with all that is stored")
    page = _command(commands, "report", "write a study as a page with charts")
    _add_stored(page, needed=True)
    page.add_argument(
        "--out", type=str, default=None, help="the study's folder for results: autolr_runs/STUDY"
    )
    page.add_argument("--to", type=str, default=None, help="a folder; without it, that of --out")
    export = _command(commands, "export", "write the trials of a study to a file")
    _add_stored(export, needed=True)
    export.add_argument("--to", type=str, default="trials.csv", help="a .csv or .parquet file")
    dashboard = _command(commands, "dashboard", "open a storage in Optuna's dashboard")
    _add_stored(dashboard)
    dashboard.add_argument(
        "--port",
        type=_as(int),
        default=8080,
        help="of this machine's loopback address; 0: a free one",
    )
    spaces = _command(commands, "spaces", "list the search spaces that ship with autolr")
    spaces.add_argument("name", nargs="?", type=str, default=None, help="one to print")
    rules = _command(commands, "rules", "list the rules that set the size of a step")
    rules.add_argument("name", nargs="?", type=str, default=None, help="one to describe in full")
    return whole


def _add_stored(parser: ArgumentParser, *, needed: bool = False) -> None:
    given: dict[str, Any] = {} if needed else {"nargs": "?", "default": None}
    parser.add_argument("study", type=str, help="name of a study", **given)
    parser.add_argument("--storage", type=str, default=_STORAGE, help="URL, as sqlite:///autolr.db")


def _command(commands: Any, name: str, description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description, exit_on_error=False)
    commands.add_subcommand(name, parser, help=description)
    return parser


def _as(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return what reads a number as Python does, not as YAML does, which has empty ones."""

    def reading(text: str) -> Any:
        return kind(text)

    reading.__name__ = kind.__name__  # for the error message
    return reading


def _whole_or_name(given: str | int) -> int | str:  # jsonargparse calls it on its own answer too
    return int(given) if re.fullmatch(r"[+-]?\d{1,4000}", str(given)) else given
