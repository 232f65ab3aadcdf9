"""The config of a study: the `tune:` section, and what a resumed study must share.

>>> config = read_config({"model": {}, "tune": {"space": {"lr": 0.1}, "trials": 5}})
>>> config.tune.trials, config.tune.mode, config.seed, config.space.names
(5, 'min', 0, ('lr',))
"""

import copy
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autolr.candidate import unregistered
from autolr.direction import MODES, mode_of, named_mode
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.predicates import HOST, is_path, is_seconds, is_text, is_whole, whole
from autolr.search_spaces import is_source
from autolr.search_spaces import load as load_space
from autolr.space import Space
from autolr.storage_url import shown
from autolr.strict_yaml import Source, load_yaml
from autolr.users_modules import import_modules

OBJECTIVE = "objective"  # the section with a class path in place of model, data and trainer
STUDY_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_CLASS = r"[^\W\d]\w*(\.[^\W\d]\w*)+"  # the full name of one
_ENGINE = r"[^\W\d]\w*([.:][^\W\d]\w*)*"  # a name or a path; the driver knows which there are
_MOST_WORKERS = 4096
_SECONDS = "a number of seconds above 0, or null"
_SECTIONS = ("model", "data", "trainer", "optimizer", "lr_scheduler")  # of LightningCLI
_SAMPLERS = ("tpe", "random", "gp", "cmaes")
_COSTS = {"cost": "steps", "seconds": "seconds"}  # attributes of a trial
_LARGEST_SEED = 2**32 - 1  # numpy's, and so Lightning's


@dataclass(frozen=True, slots=True)
class Pruner:
    """How trials are stopped early.

    Args:
        name: "hyperband" or "none".
        eta: Of the trials at a rung, one in ``eta`` goes on; 3 is the paper's, at least 2.
        min_steps: Optimizer steps before the first rung; None: derived from the run's length.
        pause: Whether a trial that does not go on leaves a checkpoint at its rung, from where it
            may be promoted later; else it is over.
    """

    name: str = "hyperband"
    eta: int = 3
    min_steps: int | None = None
    pause: bool = True

    def __post_init__(self) -> None:
        _check("tune.pruner", self.name, "hyperband or none", self.name in ("hyperband", "none"))
        _check("tune.pruner.eta", self.eta, whole(self.eta, 2), is_whole(self.eta, 2))
        fits = self.min_steps is None or is_whole(self.min_steps, 1)
        _check(
            "tune.pruner.min_steps", self.min_steps, f"{whole(self.min_steps, 1)}, or null", fits
        )
        _check("tune.pruner.pause", self.pause, "true or false", isinstance(self.pause, bool))


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """The section `tune:`, checked.

    Args:
        space: A name of the catalogue, a path to a .yaml file, or a mapping.
        monitor: The logged metric that is optimized.
        mode: "min" or "max"; None: what the monitor's name says, see `named_mode`. It stays None
            where the name does not say it, and is missed as soon as it is needed.
        trials: How many trials the study shall finish in all, however often it is resumed.
        timeout: Seconds after which no trial is started; None: no limit.
        workers: Trials at a time; "auto": one for each GPU that can be seen, at least one.
        trial_timeout: Seconds that a trial may train at a job before it is taken for hung and
            killed, which is one of three attempts; None: no limit.
        engine: "local", processes of this machine; "ray"; "remote", each ``autolr worker``; or the
            path of a class, ``my_project.MyEngine``. "open" is the former name of "remote".
        listen: Name or address at which workers that come reach this host; None: its own name.
        objective: None: the monitor alone. ``[monitor, "cost"]``: it and the optimizer steps of a
            trial, those of its probes included, which are minimized; or "seconds", its wall time.
        pruner: A `Pruner`, its name, or a mapping with its fields; none with two objectives.
        sampler: "tpe", "random", "gp" or "cmaes".
        storage: The database's URL. It may hold a password and is not in the ``repr``.
        study: The study's name: letters, digits, and . _ - after the first; at most 128.
        out: The folder for results; None: autolr_runs/STUDY.
        safe_globals: Names of classes, ``module.Class``, that checkpoints of trials may hold beside
            tensors and plain containers; loading them may run their code.

    Raises:
        ConfigError: If a value cannot work: one line with the setting, what came, what would work.
    """

    space: str | Path | Mapping[str, Any] = "default"
    monitor: str = "val_loss"
    mode: str | None = None
    trials: int = 30
    timeout: float | None = None
    workers: int | str = 1
    trial_timeout: float | None = None
    engine: str = "local"
    listen: str | None = None
    objective: Sequence[str] | None = None
    pruner: Pruner = dataclasses.field(default_factory=lambda: _PRUNER)
    sampler: str = "tpe"
    storage: str = dataclasses.field(default="sqlite:///autolr.db", repr=False)
    study: str = "autolr"
    out: str | Path | None = None
    safe_globals: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pruner", _pruner(self.pruner))
        if self.objective is not None:
            self._settle_objective()
        checks = {
            "space": ("a name of the catalogue, a path or a mapping", is_source(self.space)),
            "monitor": ("the name of a logged metric", is_text(self.monitor)),
            "mode": ("min or max", self.mode in (None, *MODES)),
            "trials": (whole(self.trials, 1), is_whole(self.trials, 1)),
            "timeout": (_SECONDS, is_seconds(self.timeout)),
            "workers": (
                f"{whole(self.workers, 1, _MOST_WORKERS)}, or auto",
                self.workers == "auto" or is_whole(self.workers, 1, _MOST_WORKERS),
            ),
            "trial_timeout": (_SECONDS, is_seconds(self.trial_timeout)),
            "engine": ("local, ray, remote or a class path", is_text(self.engine, _ENGINE)),
            "listen": ("a host, or null", self.listen is None or is_text(self.listen, HOST)),
            "sampler": (f"one of {', '.join(_SAMPLERS)}", self.sampler in _SAMPLERS),
            "study": (f"a name that matches {STUDY_NAME}", is_text(self.study, STUDY_NAME)),
            "out": ("a folder, or null", self.out is None or is_path(self.out)),
            "safe_globals": (
                "a list of names such as my_project.MyClass",
                isinstance(self.safe_globals, list | tuple)
                and all(is_text(name, _CLASS) for name in self.safe_globals),
            ),
        }
        if not is_text(self.storage, "(?s).+://.*"):  # the rest is checked where it is opened
            expected = "a URL such as sqlite:///autolr.db"
            raise ConfigError.of("tune.storage", shown(self.storage), expected)
        for name, (expected, fits) in checks.items():
            _check(f"tune.{name}", getattr(self, name), expected, fits)
        object.__setattr__(self, "mode", self.mode or named_mode(self.monitor))

    def _settle_objective(self) -> None:
        served = [[self.monitor, cost] for cost in _COSTS]
        fits = isinstance(self.objective, list | tuple) and list(self.objective) in served
        _check("tune.objective", self.objective, " or ".join(map(str, served)), fits)
        if self.pruner is _PRUNER:
            object.__setattr__(self, "pruner", Pruner("none"))
        expected = "none with two objectives (a rung compares one score)"
        _check("tune.pruner", self.pruner.name, expected, self.pruner.name == "none")
        one = self.sampler == "cmaes"
        _check("tune.sampler", self.sampler, "tpe, gp or random with two objectives", not one)

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """What is done to the monitor.

        Raises:
            ConfigError: If neither the mode nor the monitor's name says it.
        """
        mode = mode_of(self.monitor, self.mode, "tune.mode")
        return "minimize" if mode == "min" else "maximize"

    @property
    def cost(self) -> str | None:
        """The attribute of a trial that is minimized beside the monitor; None: nothing is."""
        return None if self.objective is None else _COSTS[self.objective[1]]

    @property
    def folder(self) -> Path:
        """The folder for results."""
        return Path("autolr_runs", self.study) if self.out is None else Path(self.out)

    def override(self, **flags: object) -> "TuneConfig":
        """Return a copy with the given settings; None, as from an absent flag, keeps the old one.

        Another monitor has the mode that is given with it, or its name's.

        Raises:
            ConfigError: As for the section itself.
        """
        old = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        new = {name: flag for name, flag in flags.items() if flag is not None}
        if new.get("monitor", self.monitor) != self.monitor:
            old["mode"] = None
        return parse_tune(old | new)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole config.

    Args:
        fit: What LightningCLI gets: the config without `tune:`.
        tune: The section `tune:`.
        space: The search space that it names.
        seed: `seed_everything`, or 0 where that is false or absent.
        folder: Absolute; paths in the config are relative to it. Of a mapping: where one stands.
    """

    fit: dict[str, Any]
    tune: TuneConfig
    space: Space
    seed: int
    folder: Path

    @property
    def names_objective(self) -> bool:
        """Whether a section `objective:` stands in place of LightningCLI's."""
        return OBJECTIVE in self.fit


def read_config(source: Source) -> Config:
    """Return the checked config of a file, or of a mapping of the same form.

    Raises:
        SpaceError: If the space is missing or malformed, or points outside the config.
        ConfigError: If the file cannot be read, or a setting cannot work.
    """
    fit = load_yaml(source)
    for section in fit:
        _check("a section", section, "text such as model or trainer", isinstance(section, str))
    folder = Path.cwd() if isinstance(source, Mapping) else Path(source).resolve().parent
    tune = parse_tune(fit.pop("tune", None))
    space = load_space(tune.space, folder, lambda: import_modules(fit, folder))
    _check_targets(space, fit)
    return Config(fit, tune, space, _seed(fit), folder)


def import_registered(config: Config) -> None:
    """Import the modules of model and data, if the space names a rule or profile of theirs.

    A process that gets a config from another one calls it before it uses a candidate.

    Raises:
        ConfigError: If a module is there and cannot be imported.
    """
    if unregistered(config.space):
        import_modules(config.fit, config.folder)


def fingerprint(config: Config) -> dict[str, Any]:
    """Return, as plain JSON, what a resumed study must have in common with the stored one.

    That is the fit part (its seed apart), the space, the seed, monitor, mode, pruner, sampler and,
    if there is one, the objective; not how long, where and under which name the study runs.
    """
    parts = {
        "config": {key: value for key, value in config.fit.items() if key != "seed_everything"},
        "space": config.space.to_dict(),
        "seed": config.seed,
        "monitor": config.tune.monitor,
        "mode": config.tune.mode,
        "pruner": dataclasses.asdict(config.tune.pruner),
        "sampler": config.tune.sampler,
    }
    parts |= {} if config.tune.objective is None else {"objective": list(config.tune.objective)}
    # NaN and the infinities become strings: as numbers they are no JSON, and NaN != NaN.
    return dict(json.loads(json.dumps(parts), parse_constant=str))


def parse_tune(mapping: object) -> TuneConfig:
    """Return the section `tune:`; None, an empty or absent section, gives the defaults.

    Raises:
        ConfigError: If a key is unknown or a value cannot work.
    """
    if mapping is None:
        return TuneConfig()
    if not isinstance(mapping, Mapping):
        raise ConfigError.of("tune", mapping, "a mapping")
    _check_keys("tune", mapping, TuneConfig)
    return TuneConfig(**mapping)


def set_dotted(config: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    """Return a deep copy in which ``name``, such as model.init_args.width, is ``value``.

    Missing or empty mappings on the way are made.

    Raises:
        ConfigError: If something on the way is there and is not a mapping.
    """
    result: dict[str, Any] = copy.deepcopy(dict(config))
    inner = result
    *path, last = name.split(".")
    for depth, key in enumerate(path, start=1):
        if inner.get(key) is None:
            inner[key] = {}
        if not isinstance(inner[key], dict):
            raise ConfigError.of(f"{'.'.join(path[:depth])}, for {name},", inner[key], "a mapping")
        inner = inner[key]
    inner[last] = value
    return result


def _check_targets(space: Space, fit: Mapping[str, Any]) -> None:
    """Refuse a dotted name that points outside the config, through a value or at another one."""
    known = tuple(dict.fromkeys((*_SECTIONS, *fit)))
    filled = dict(fit)
    for name in sorted(space.paths):  # parents before children
        if (section := name.partition(".")[0]) not in known:
            raise SpaceError(f"{name}: {unknown_name('section', section, known)}")
        filled = set_dotted(filled, name, 0)


def _seed(fit: Mapping[str, Any]) -> int:
    seed = fit.get("seed_everything")
    if seed is None or seed is False:
        return 0
    expected = f"a whole number up to {_LARGEST_SEED} (a random seed could not be resumed)"
    _check("seed_everything", seed, expected, is_whole(seed, 0, _LARGEST_SEED))
    return int(seed)


def _pruner(value: object) -> Pruner:
    if isinstance(value, Pruner):
        return value
    fields = value if isinstance(value, Mapping) else {"name": value}
    _check_keys("tune.pruner", fields, Pruner)
    return Pruner(**fields)


def _check_keys(section: str, mapping: Mapping[Any, Any], cls: Any) -> None:
    known = [field.name for field in dataclasses.fields(cls)]
    for key in mapping:
        if key not in known:
            raise ConfigError(f"{section}: {unknown_name('key', key, known)}")


def _check(name: str, value: object, expected: str, fits: bool) -> None:
    if not fits:
        raise ConfigError.of(name, value, expected)


_PRUNER: Pruner = Pruner()  # where none is given
