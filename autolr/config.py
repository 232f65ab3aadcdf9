"""The config of a study: LightningCLI's part, the section `tune:` and the search space.

A section `cli:` names the user's own LightningCLI, whose links, defaults and callbacks then hold:
``cli: my_project.MyCLI``, a mapping with its ``class_path`` and ``init_args``, or the function of a
script that makes one, ``cli: my_project.main``. All other sections are those of that CLI.

>>> config = read_config({"model": {}, "tune": {"space": {"lr": 0.1}, "trials": 5}})
>>> config.tune.trials, config.tune.mode, config.seed, config.space.names
(5, 'min', 0, ('lr',))
"""

import copy
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autolr.candidate_space import unregistered
from autolr.config_checks import check
from autolr.disk import read_text
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.names import is_config_path
from autolr.predicates import is_whole
from autolr.search_spaces import load_space
from autolr.section_files import with_files
from autolr.sections import CLI as CLI
from autolr.sections import FUNCTION as FUNCTION
from autolr.sections import OBJECTIVE as OBJECTIVE
from autolr.sections import OF_FIT as OF_FIT
from autolr.sections import OF_LIGHTNING, names_function, takes
from autolr.space import Point, Space, parse_points, within
from autolr.strict_yaml import Source, load_yaml
from autolr.tune_config import TuneConfig, parse_tune
from autolr.users_modules import import_modules

BEST = "# The best candidate of "  # first in a best.yaml, before its study, trial and score
MODULES = "# Modules: "  # in a best.yaml, before the folder of its study's config
OWN_CLI = "# Cli: "  # in a best.yaml, before that section as JSON: the CLI itself would refuse it
MONITOR = "# Monitor: "  # likewise, before the metric that its study optimized
LOCAL = "<"  # in the path of each function that cannot be imported, as <lambda> and <locals>
_LARGEST_SEED = 2**32 - 1  # of numpy's seeds, and so of Lightning's


@dataclass(frozen=True, slots=True)
class Config:
    """A whole config.

    Args:
        fit: The config for LightningCLI: without `tune:`, without a ``ckpt_path`` of null, and with
            what its files for single sections have.
        tune: The section `tune:`.
        space: The search space that it names.
        seed: `seed_everything`; 0 where that is true, as in Lightning, or false or absent.
        folder: The absolute folder that paths in the config are relative to: that of the file, or
            the working directory if the config is a mapping.
    """

    fit: dict[str, Any]
    tune: TuneConfig
    space: Space
    seed: int
    folder: Path

    @property
    def start(self) -> tuple[Point, ...]:
        """The points to try first."""
        return parse_points(self.space, self.tune.start, "tune.start")

    @property
    def own_point(self) -> Point:
        """The values that the config itself has for parameters of the space, if they are in it."""
        return within(self.space, {name: _dotted(self.fit, name) for name in self.space.paths})

    @property
    def names_objective(self) -> bool:
        """Whether a section `objective:` stands in place of LightningCLI's."""
        return OBJECTIVE in self.fit

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint that a run continues from, ``ckpt_path``; None: it begins."""
        return self.fit.get("ckpt_path")

    @property
    def seed_line(self) -> str | None:
        """The line for a user who left the seed to Lightning; None: there is none."""
        if self.fit.get("seed_everything") is not True:
            return None
        return (
            f"seed_everything: true takes seed {self.seed}, the default of Lightning: a run repeats"
        )

    @property
    def names_function(self) -> bool:
        """Whether the section `objective:` names a Python function."""
        return names_function(self.fit)


def read_config(
    source: Source, settings: Mapping[str, Any] = {}, folder: Path | None = None
) -> Config:
    """Return the checked config of a file, or of a mapping of the same form.

    Args:
        source: The file or the mapping.
        settings: Of the section ``tune:``; they replace those of the config, None keeps those.
        folder: What paths are relative to; None: the file's folder, else the present one.

    Raises:
        SpaceError: If the space is missing or malformed, or points outside the config.
        ConfigError: If the file cannot be read, or a setting cannot work.
    """
    fit = load_yaml(source)
    for section in fit:
        check("a section", section, "text such as model or trainer", isinstance(section, str))
    if folder is None:
        folder = Path.cwd() if isinstance(source, Mapping) else Path(source).resolve().parent
    if fit.get("ckpt_path") is None:
        fit = {key: value for key, value in fit.items() if key not in OF_FIT}
    if CLI in fit and OBJECTIVE in fit:
        raise ConfigError(
            "the config has cli and objective: leave out cli, an objective needs none"
        )
    tune = parse_tune(fit.pop("tune", None)).override(**settings)
    space = _space(tune, _whole(fit, folder), folder)
    fit = _whole(fit, folder, space)
    if not names_function(fit):  # it takes any name
        _check_targets(space, fit)
    return Config(fit, tune, space, _seed(fit), folder)


def read_run(file: str) -> Config:
    """Return the config of a run; a best.yaml imports modules from the folder of its study.

    Raises:
        ConfigError: If the file cannot be read, or a setting cannot work.
    """
    config = read_config(file)
    lines = read_text(Path(file)).splitlines()
    if (cli := _noted(lines, OWN_CLI)) is not None:
        config.fit.setdefault(CLI, json.loads(cli))
    if config.tune == TuneConfig() and (monitor := _noted(lines, MONITOR)) is not None:
        config = dataclasses.replace(config, tune=config.tune.override(monitor=monitor))
    folder = _noted(lines, MODULES)
    return config if folder is None else dataclasses.replace(config, folder=Path(folder))


def best_of(file: str) -> str | None:
    """Return the study, trial and score of the candidate of a best.yaml, in words.

    Args:
        file: Any config; None: it is no best.yaml.
    """
    line = _noted(read_text(Path(file)).splitlines(), BEST)
    return None if line is None else line.rstrip(".")


def _noted(lines: Sequence[str], mark: str) -> str | None:
    """Return what a comment of a best.yaml says."""
    return next((line.removeprefix(mark) for line in lines if line.startswith(mark)), None)


def is_importable(function: str) -> bool:
    """Return whether another process can import a Python function by this path."""
    return LOCAL not in function


def can_be_fitted(fit: Mapping[str, Any]) -> bool:
    """Return whether `autolr fit` can train a best.yaml of a study.

    Args:
        fit: The study's config, without `tune:`.
    """
    return (
        is_importable(str(fit[OBJECTIVE][FUNCTION]))
        if names_function(fit)
        else (OBJECTIVE not in fit)
    )


def import_registered(config: Config) -> None:
    """Import the modules of model and data, if the space names a rule or profile of theirs.

    A process that gets a config from another one calls it before it uses a candidate.

    Raises:
        ConfigError: If a module exists and cannot be imported.
    """
    if unregistered(config.space):
        import_modules(config.fit, config.folder)


def fingerprint(config: Config) -> dict[str, Any]:
    """Return, as plain JSON, the settings that must not change when a study is resumed.

    These are LightningCLI's part without its seed, the space, the seed, monitor, mode, pruner,
    sampler and, if set, the number of seeds, the objective, ``prior`` and ``online: false``. How
    long, where and under which name the study runs may change.
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
    parts |= {} if config.tune.seeds == 1 else {"seeds": config.tune.seeds}
    parts |= {} if config.tune.objective is None else {"objective": list(config.tune.objective)}
    parts |= {} if config.tune.online else {"online": False}
    parts |= {} if config.tune.prior is None else {"prior": str(config.tune.prior)}
    # NaN and the infinities become strings: JSON does not have them, and NaN != NaN.
    return dict(json.loads(json.dumps(parts), parse_constant=str))


def set_dotted(config: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    """Return a deep copy in which ``name``, such as model.init_args.width, is a copy of ``value``.

    Missing or empty mappings on the path are created; a class path before ``init_args`` becomes the
    mapping that it is short for.

    Args:
        config: Nested mappings; it is not changed.
        name: The dotted path.
        value: The new value.

    Raises:
        ConfigError: If the path leads through a value that is not a mapping.
    """
    result: dict[str, Any] = copy.deepcopy(dict(config))
    inner = result
    *path, last = name.split(".")
    for depth, key in enumerate(path, start=1):
        if inner.get(key) is None:
            inner[key] = {}
        if isinstance(inner[key], str) and [*path, last][depth] == "init_args":
            inner[key] = {"class_path": inner[key]}
        if not isinstance(inner[key], dict):
            raise ConfigError.of(f"{'.'.join(path[:depth])}, for {name},", inner[key], "a mapping")
        inner = inner[key]
    inner[last] = copy.deepcopy(value)
    return result


def _dotted(config: Mapping[str, Any], name: str) -> object:
    """Return the value at a dotted path; None where there is none."""
    inner: object = config
    for key in name.split("."):
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    return inner


def _whole(fit: dict[str, Any], folder: Path, space: Space | None = None) -> dict[str, Any]:
    """Return a config with what its files have; the space may lead through some of them."""
    if OBJECTIVE in fit:  # whose arguments may be names of files
        return fit
    names = () if space is None else space.paths
    through = {name[: dot.start()] for name in names for dot in re.finditer(r"\.", name)}
    return with_files(fit, folder, {*OF_LIGHTNING, *through})


def _space(tune: TuneConfig, fit: dict[str, Any], folder: Path) -> Space:
    space = load_space(
        tune.space,
        folder,
        lambda: import_modules(fit, folder),
        takes_all=names_function(fit),
        takes=partial(takes, fit),
    )
    parse_points(space, tune.start, "tune.start")
    return space


def _check_targets(space: Space, fit: Mapping[str, Any]) -> None:
    """Refuse dotted names outside the config's sections, or that pass through a value."""
    known = tuple(dict.fromkeys((*OF_LIGHTNING, *fit)))
    filled = dict(fit)
    for name in sorted(filter(is_config_path, space.names)):  # parents before children
        section = name.partition(".")[0]
        if section not in known and CLI not in fit:  # an own CLI may have any section
            raise SpaceError(f"{name}: {unknown_name('section', section, known)}")
        filled = set_dotted(filled, name, 0)


def _seed(fit: Mapping[str, Any]) -> int:
    seed = fit.get("seed_everything")
    if seed is None or isinstance(seed, bool):
        return 0
    expected = f"a whole number up to {_LARGEST_SEED}, true or false"
    check("seed_everything", seed, expected, is_whole(seed, 0, _LARGEST_SEED))
    return int(seed)
