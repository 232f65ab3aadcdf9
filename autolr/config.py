"""The config of a study: LightningCLI's part, the section `tune:` and the search space.

>>> config = read_config({"model": {}, "tune": {"space": {"lr": 0.1}, "trials": 5}})
>>> config.tune.trials, config.tune.mode, config.seed, config.space.names
(5, 'min', 0, ('lr',))
"""

import copy
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolr.candidate_space import unregistered
from autolr.config_checks import check
from autolr.disk import read_text
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.predicates import is_whole
from autolr.search_spaces import load_space
from autolr.space import Space
from autolr.strict_yaml import Source, load_yaml
from autolr.tune_config import TuneConfig, parse_tune
from autolr.users_modules import import_modules

MODULES = "# Modules: "  # in a best.yaml, before the folder of its study's config
OBJECTIVE = "objective"  # the section with a class path in place of model, data and trainer
_SECTIONS = ("model", "data", "trainer", "optimizer", "lr_scheduler")  # of LightningCLI
_LARGEST_SEED = 2**32 - 1  # of numpy's seeds, and so of Lightning's


@dataclass(frozen=True, slots=True)
class Config:
    """A whole config.

    Args:
        fit: The config for LightningCLI: without `tune:`.
        tune: The section `tune:`.
        space: The search space that it names.
        seed: `seed_everything`, or 0 where that is false or absent.
        folder: The absolute folder that paths in the config are relative to: that of the file, or
            the working directory if the config is a mapping.
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
        check("a section", section, "text such as model or trainer", isinstance(section, str))
    folder = Path.cwd() if isinstance(source, Mapping) else Path(source).resolve().parent
    tune = parse_tune(fit.pop("tune", None))
    space = load_space(tune.space, folder, lambda: import_modules(fit, folder))
    _check_targets(space, fit)
    return Config(fit, tune, space, _seed(fit), folder)


def read_run(file: str) -> Config:
    """Return the config of a run; a best.yaml imports modules from the folder of its study.

    Raises:
        ConfigError: If the file cannot be read, or a setting cannot work.
    """
    config = read_config(file)
    lines = read_text(Path(file)).splitlines()
    folder = next((line.removeprefix(MODULES) for line in lines if line.startswith(MODULES)), None)
    return config if folder is None else dataclasses.replace(config, folder=Path(folder))


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
    sampler and, if set, the objective, ``prior`` and ``online: false``. How long, where and under
    which name the study runs may change.
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
    parts |= {} if config.tune.online else {"online": False}
    parts |= {} if config.tune.prior is None else {"prior": str(config.tune.prior)}
    # NaN and the infinities become strings: JSON does not have them, and NaN != NaN.
    return dict(json.loads(json.dumps(parts), parse_constant=str))


def set_dotted(config: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    """Return a deep copy in which ``name``, such as model.init_args.width, is ``value``.

    Missing or empty mappings on the path are created.

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
        if not isinstance(inner[key], dict):
            raise ConfigError.of(f"{'.'.join(path[:depth])}, for {name},", inner[key], "a mapping")
        inner = inner[key]
    inner[last] = value
    return result


def _check_targets(space: Space, fit: Mapping[str, Any]) -> None:
    """Refuse dotted names outside the config's sections, or that pass through a value."""
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
    check("seed_everything", seed, expected, is_whole(seed, 0, _LARGEST_SEED))
    return int(seed)
