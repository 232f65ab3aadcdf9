"""The parser of the command line."""

import re
from argparse import Action
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from autolr._version import __version__
from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.parser_errors import one_line
from autolr.predicates import is_text
from autolr.quoting import shortened, without_urls
from autolr.storage_url import shown

_STORAGE = "sqlite:///autolr.db"  # the default of `tune.storage`, so that commands agree
_HEAD = "example:"
_EXAMPLES = {
    "tune": "autolr tune tune.yaml --trials 30 --workers auto",
    "worker": "autolr worker tune.yaml --storage sqlite:///autolr.db",
    "fit": "autolr fit autolr_runs/digits/best.yaml --seeds 3",
    "show": "autolr show digits --watch",
    "report": "autolr report digits --to report",
    "clean": "autolr clean digits --dry-run",
    "export": "autolr export digits --to trials.parquet",
    "dashboard": "autolr dashboard digits --port 8080",
    "spaces": "autolr spaces default > space.yaml",
    "rules": "autolr rules prodigy",
    "transfer": "autolr transfer 0.001 --schedule wsd --steps 4000 --to cosine --batch 4",
    "refine": "autolr refine found",
    "doctor": "autolr doctor tune.yaml",
    "completion": "autolr completion bash > ~/.local/share/bash-completion/completions/autolr",
}


def read_arguments(words: Sequence[str]) -> tuple[str | None, Namespace]:
    """Return the command, None if the user gave none, and its arguments.

    Raises:
        ConfigError: If an argument cannot be parsed, is blank or has several lines.
    """
    try:
        arguments = parser().parse_args(list(words))
    except ArgumentError as error:
        named = next((word for word in words if word in _EXAMPLES), None)
        message = one_line(str(error))
        if named is not None and message.endswith(" is missing"):
            message = message.replace(f"{named}.", "")
        helped = "autolr --help lists commands and options"
        if named is not None:
            helped = f"as in {_EXAMPLES[named]}; autolr {named} --help lists its options"
        raise ConfigError(f"{shortened(without_urls(message))} ({helped})") from None
    command: str | None = arguments.subcommand
    options = arguments if command is None else arguments[command]
    for name, value in vars(options).items():
        if isinstance(value, str) and not is_text(value):
            got = shown(value) if name == "storage" else value
            raise ConfigError.of(name, got, "text of one line that is not blank")
    return command, options


def completion_script(shell: str) -> str:
    """Return the script with which a shell completes commands and options.

    Raises:
        ConfigError: If shtab is not installed, or knows no such shell.
    """
    try:
        from shtab import SUPPORTED_SHELLS
    except ImportError:
        needed = f"completion needs shtab: {install_command('shtab')}"
        raise ConfigError(needed) from None
    if shell not in SUPPORTED_SHELLS:
        raise ConfigError.of("shell", shell, f"one of {', '.join(SUPPORTED_SHELLS)}")
    return str(_parser().get_completion_script(f"shtab-{shell}"))  # it is of no other use then


@cache  # it takes 40 ms to build, and parsing leaves it as it is
def parser() -> ArgumentParser:
    """Return the parser of all commands."""
    return _parser()


def _parser() -> ArgumentParser:
    top = ArgumentParser(
        prog="autolr",
        description="Tune learning-rate schedules.",
        formatter_class=_Formatter,
        epilog=_example("tune", "fit", "doctor"),
        exit_on_error=False,
        version=__version__,
        env_prefix=False,
        default_env=False,
    )
    commands = top.add_subcommands(required=False, title="commands", metavar="COMMAND")
    tune = _command(commands, "tune", "search for a schedule, or resume a search")
    tune.add_argument(
        "config", type=str, help="a LightningCLI config; options override its section 'tune:'"
    )
    tune.add_argument(
        "--trials", type=_as(int), default=None, help="finished trials that the study shall have"
    )
    tune.add_argument(
        "--timeout", type=_as(float), default=None, help="seconds after which no trial starts"
    )
    tune.add_argument(
        "--workers",
        type=_as(_whole_or_name, "a whole number, or auto"),
        default=None,
        help="trials in parallel; auto: one per GPU, or as --trials-per-gpu says",
    )
    tune.add_argument(
        "--trials-per-gpu", type=_as(int), default=None, help="trials that share a GPU at most"
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
    tune.add_argument("--fresh", action="store_true", help="delete the study of this name first")
    tune.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything up to the first training step, and say what the study will take",
    )
    worker = _command(
        commands, "worker", "train trials for a driver in another process or on another host"
    )
    worker.add_argument("config", type=str, help="the driver's config, in the same folder")
    worker.add_argument(
        "--storage",
        type=str,
        default=None,
        help="URL of the storage, in which the driver has written its folder",
    )
    worker.add_argument("--study", type=str, default=None, help="name of the study")
    worker.add_argument("--out", type=str, default=None, help="the driver's folder for results")
    worker.add_argument(
        "--wait",
        type=_as(float),
        default=600.0,
        help="seconds without a driver before the worker exits",
    )
    fit = _command(commands, "fit", "train one run; the online search chooses its peak")
    fit.add_argument("config", type=str, help="a LightningCLI config, or best.yaml of a study")
    fit.add_argument("--out", type=str, default=None, help="folder for results")
    fit.add_argument(
        "--seeds",
        type=_as(int),
        default=1,
        help="runs with the config's seed and the following ones: mean and spread",
    )
    show = _command(commands, "show", "list the studies of a storage, or the trials of a study")
    _add_stored(show)
    show.add_argument(
        "--json", action="store_true", help="print JSON with everything that is stored"
    )
    show.add_argument(
        "--watch", action="store_true", help="show a study again and again while it is worked on"
    )
    page = _command(commands, "report", "write a study as an HTML page with charts")
    _add_stored(page, needed=True)
    page.add_argument(
        "--out", type=str, default=None, help="the study's folder for results: autolr_runs/STUDY"
    )
    page.add_argument(
        "--to", type=str, default=None, help="the folder to write to; default: that of --out"
    )
    clean = _command(commands, "clean", "remove files of a study that nothing needs any more")
    _add_stored(clean, needed=True)
    clean.add_argument(
        "--out", type=str, default=None, help="the study's folder for results: autolr_runs/STUDY"
    )
    clean.add_argument(
        "--keep", type=_as(int), default=None, help="weights of more than so many trials go too"
    )
    clean.add_argument("--dry-run", action="store_true", help="say what would be removed")
    export = _command(commands, "export", "write the trials of a study to a file")
    _add_stored(export, needed=True)
    export.add_argument("--to", type=str, default="trials.csv", help="a .csv or .parquet file")
    dashboard = _command(commands, "dashboard", "open a storage in Optuna's dashboard")
    _add_stored(dashboard)
    dashboard.add_argument(
        "--port",
        type=_as(int),
        default=8080,
        help="port on 127.0.0.1; 0: any free one",
    )
    spaces = _command(commands, "spaces", "list the search spaces that ship with autolr")
    spaces.add_argument("name", nargs="?", type=str, default=None, help="the search space to print")
    rules = _command(commands, "rules", "list the rules that set the size of a step")
    rules.add_argument(
        "name", nargs="?", type=str, default=None, help="the rule to describe in full"
    )
    _add_transfer(_command(commands, "transfer", "move a tuned peak to another run"))
    refine = _command(commands, "refine", "make a schedule of the gradient norms of a run")
    refine.add_argument("run", type=str, help="the folder that RecordNorms saved to")
    doctor = _command(commands, "doctor", "say what is wrong with the installation or a project")
    doctor.add_argument(
        "config", nargs="?", type=str, default=None, help="a LightningCLI config to look at too"
    )
    doctor.add_argument(
        "--storage", type=str, default=None, help="URL of a database to look at too"
    )
    completion = _command(commands, "completion", "print a script for a shell's completion")
    completion.add_argument("shell", type=str, help="bash, zsh, fish, tcsh or powershell")
    return top


def _add_transfer(moved: ArgumentParser) -> None:
    moved.add_argument("peak", type=_as(float), help="the best peak of the tuned run")
    moved.add_argument(
        "--schedule",
        type=str,
        required=True,
        help="of the tuned run: a name, or settings as '{kind: wsd, cooldown: 0.3}'",
    )
    moved.add_argument("--steps", type=_as(int), required=True, help="length of the tuned run")
    moved.add_argument("--to", type=str, default=None, help="another schedule, likewise")
    moved.add_argument(
        "--to-steps", type=_as(int), default=None, help="another length; default: as many examples"
    )
    moved.add_argument(
        "--kind", type=str, default="adam", help="of the optimizer: adam (and kin) or sgd"
    )
    moved.add_argument(
        "--batch", type=_as(float), default=1.0, help="the new batch size over the old"
    )
    moved.add_argument(
        "--width", type=_as(float), default=1.0, help="the new width over the old, in muP"
    )
    moved.add_argument(
        "--weight-decay", type=_as(float), default=None, help="of the tuned run, for AdamW"
    )


def _add_stored(parser: ArgumentParser, *, needed: bool = False) -> None:
    optional: dict[str, Any] = {} if needed else {"nargs": "?", "default": None}
    parser.add_argument("study", type=str, help="name of a study", **optional)
    parser.add_argument("--storage", type=str, default=_STORAGE, help="URL, as sqlite:///autolr.db")


def _command(commands: Any, name: str, description: str) -> ArgumentParser:
    parser = ArgumentParser(
        description=description,
        exit_on_error=False,
        formatter_class=_Formatter,
        epilog=_example(name),
    )
    commands.add_subcommand(name, parser, help=description)
    return parser


class _Formatter(DefaultHelpFormatter):
    """Keeps the lines of an example, which is typed as it stands; says no default of None."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(_HEAD) else super()._fill_text(text, width, indent)

    def _expand_help(self, action: Action) -> str:
        return re.sub(
            r" \(type: str, default: null\)|, default: null(?=\)$)",
            "",
            super()._expand_help(action),
        )


def _example(*commands: str) -> str:
    return "\n".join([_HEAD, *(f"  {_EXAMPLES[command]}" for command in commands)])


class _as:
    """A type for the parser that reads numbers as Python does: YAML reads "" as None."""

    def __init__(self, kind: Callable[[Any], Any], name: str | None = None) -> None:
        self.kind, self.__name__ = kind, name or kind.__name__

    def __call__(self, text: str) -> Any:
        return self.kind(text)

    def __repr__(self) -> str:
        return self.__name__  # the help shows it


def _whole_or_name(text: str | int) -> int | str:
    """Return a number or a name; jsonargparse passes the number that it got once more."""
    return int(text) if re.fullmatch(r"[+-]?\d{1,4000}", str(text)) else text
