"""The LightningCLI of a config: Lightning's own, or the user's with its links and defaults."""

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autolr.callbacks.namespaces import cli_of, clis
from autolr.class_paths import imported
from autolr.config import CLI
from autolr.errors import ConfigError
from autolr.predicates import is_text

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_KEYS = {"class_path", "init_args"}
_PATHS = (  # arguments of a LightningCLI that are classes
    "model_class",
    "datamodule_class",
    "trainer_class",
    "parser_class",
    "save_config_callback",
)
_NEEDED_BY = {"enable_progress_bar": "ProgressBar", "enable_checkpointing": "Checkpoint"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a LightningCLI is to make.

    Attributes:
        args: The config of the run: sections and their values.
        quiet: Arguments of the Trainer that hold where neither the config nor the CLI sets them,
            unless a callback of the run needs them otherwise.
    """

    args: Mapping[str, Any]
    quiet: Mapping[str, Any] = field(default_factory=dict)


def make_cli(named: Any, namespace: str, wanted: Wanted) -> "LightningCLI":
    """Return a LightningCLI with its model, data and trainer; it runs nothing.

    A class is called with its ``init_args``, and a function as it is; whatever they pass to
    LightningCLI holds, except the arguments to parse. A function is left as soon as it has made
    one. A CLI that runs a subcommand gets the config as that of ``fit``.

    Args:
        named: The section ``cli:``; None: Lightning's own.
        namespace: Of Lightning's own.
        wanted: What it is to make.

    Raises:
        ConfigError: If the section names no LightningCLI.
    """
    if named is None:
        return _called(cli_of(namespace), {}, wanted, runs=False)
    path, arguments = _section(named)
    target = imported(CLI, path)
    if not callable(target) or (inspect.isclass(target) and not issubclass(target, tuple(clis()))):
        raise _no_cli(path)
    for name in _PATHS:
        if is_text(arguments.get(name)):
            arguments[name] = imported(f"{CLI}.init_args.{name}", arguments[name])
    return _called(target, arguments, wanted, runs=True)


def fit_parser(cli: "LightningCLI") -> Any:
    """Return the parser of a run."""
    return cli._parser(cli.subcommand)


def prepare(cli: "LightningCLI") -> None:
    """Do what the CLI does before it fits: its ``before_fit``, if it runs the subcommand."""
    before = getattr(cli, "before_fit", None)
    if cli.subcommand is not None and callable(before):
        before()


def differences(cli: "LightningCLI", fit: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each way in which a study differs from what the user's own CLI does.

    Args:
        cli: As the study makes it.
        fit: The LightningCLI part of the study's config.
    """
    name, given = type(cli).__name__, fit.get("trainer") or {}
    defaults = fit_parser(cli).get_defaults()
    dropped = [f"{name}.{hook}" for hook in ("fit", "after_fit") if hasattr(cli, hook)]
    if dropped and cli.subcommand is not None:
        yield f"{' and '.join(dropped)} cannot be called: a study trains through Trainer.fit"
    seed = cli.seed_everything_default
    if "seed_everything" not in fit and not isinstance(seed, bool) and seed:
        yield f"seed_everything is not in the config: a study takes 0, and not the {seed} of {name}"
    if defaults.get("trainer.callbacks") and "callbacks" not in given:
        yield (
            f"trainer.callbacks has a default in {name}, which the list in best.yaml replaces: "
            "write them into the config"
        )


def check_devices(cli: "LightningCLI", fit: Mapping[str, Any]) -> None:
    """Refuse a CLI that gives a run several devices of which the config says nothing.

    Args:
        cli: As the study makes it.
        fit: The LightningCLI part of the study's config.

    Raises:
        ConfigError: If it does; the driver, which shares out devices, reads the config alone.
    """
    ranks, default = cli.trainer.world_size, fit_parser(cli).get_defaults().get("trainer.devices")
    said = "devices" in (fit.get("trainer") or {}) or default in (None, "auto")
    if ranks > 1 and not said:
        raise ConfigError(
            f"{type(cli).__name__} trains on {ranks} devices: write trainer: {{devices: {ranks}}} "
            "into the config, by which a study shares them out"
        )


def _called(
    target: Callable[..., Any], arguments: Mapping[str, Any], wanted: Wanted, *, runs: bool
) -> "LightningCLI":
    made: list[LightningCLI] = []
    leaves = not inspect.isclass(target)
    with contextlib.ExitStack() as stack:
        for base in clis():
            stack.enter_context(_given(base, wanted, made, runs=runs, leaves=leaves))
        with contextlib.suppress(_Made):
            target(**arguments)
    if not made:
        raise _no_cli(f"{target.__module__}.{target.__qualname__}")
    return made[-1]


def _section(named: Any) -> tuple[str, dict[str, Any]]:
    section = named if isinstance(named, Mapping) else {"class_path": named}
    arguments = section.get("init_args") or {}
    fits = is_text(section.get("class_path")) and section.keys() <= _KEYS
    if not (fits and isinstance(arguments, Mapping)):
        raise _no_cli(named)
    return section["class_path"], dict(arguments)


def _no_cli(given: Any) -> ConfigError:
    expected = "the path of a LightningCLI, or of a function that makes one, as my_project.MyCLI"
    return ConfigError.of(CLI, given, expected)


class _Made(BaseException):
    """Leaves a function that has made a LightningCLI: what follows would train."""


@contextlib.contextmanager
def _given(
    base: "type[LightningCLI]",
    wanted: Wanted,
    made: "list[LightningCLI]",
    *,
    runs: bool,
    leaves: bool,
) -> Iterator[None]:
    """Have each LightningCLI that is made in the block parse what is wanted, and run nothing."""
    original = base.__init__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: "LightningCLI", *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        run = runs and given.get("run", True)
        config = dict(wanted.args)
        given |= {
            "args": {"subcommand": "fit", "fit": config} if run else config,
            "run": run,
            "trainer_defaults": _separate(given.get("trainer_defaults") or {}),
            "save_config_callback": None,  # of a trial; a resumed one would refuse its own file
            "parser_kwargs": _raising(given.get("parser_kwargs") or {}, run=run),
        }
        self._run_subcommand = lambda subcommand: None  # type: ignore[method-assign]
        if run:  # a parser for each subcommand takes most of the time, and one is used
            only = {name: skip for name, skip in self.subcommands().items() if name == "fit"}
            self.subcommands = lambda: only  # type: ignore[method-assign]
        _quieten(self, wanted.quiet)
        original(self, **given)
        made.append(self)
        if leaves:
            raise _Made

    base.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        base.__init__ = original  # type: ignore[method-assign]


def _separate(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Trainer's defaults with callbacks of their own: trials must not share state."""
    return {k: copy.deepcopy(v) if k == "callbacks" else v for k, v in defaults.items()}


def _raising(settings: Mapping[str, Any], *, run: bool) -> dict[str, Any]:
    """Return the arguments of the parsers, which shall raise what they would print."""
    own = {"exit_on_error": False}
    return {**settings, **own, **({"fit": {**settings.get("fit", {}), **own}} if run else {})}


def _quieten(cli: "LightningCLI", quiet: Mapping[str, Any]) -> None:
    """Set arguments of the Trainer that are not set yet."""
    make = cli._instantiate_trainer

    def trainer(config: dict[str, Any], callbacks: list[Any]) -> Any:
        everywhere = (config.get("callbacks"), callbacks, cli.trainer_defaults.get("callbacks"))
        present = [type(one) for some in everywhere for one in _listed(some)]
        bases = {base.__name__ for kind in present for base in kind.__mro__}
        for name, value in quiet.items():
            if name in config and config[name] is None and _NEEDED_BY.get(name) not in bases:
                config[name] = value
        return make(config, callbacks)

    cli._instantiate_trainer = trainer  # type: ignore[method-assign]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
