"""Making the objective that a config names, and having it check or train.

Nothing here imports torch or Lightning: an objective brings what it needs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autolr.candidate import Candidate
from autolr.class_paths import imported, instantiated
from autolr.config import OBJECTIVE, Config, set_dotted
from autolr.errors import ConfigError
from autolr.job import Judge, TrialJob, TrialResult
from autolr.objective.corners import corners
from autolr.objective.protocol import Checkup, Objective
from autolr.objective.user_code import no_exit, users_code
from autolr.users_modules import make_importable

_KEYS = {"class_path", "init_args"}


def check_run(config: Config, folder: Path) -> Checkup:
    """Have the objective of a config check it, with each value of the space.

    Args:
        config: The whole config.
        folder: Where the study writes.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the user's code raises.
    """
    with users_code(folder), no_exit():
        made = [load_objective(config, candidate) for candidate in _distinct(config)]
        return made[0].check(config, folder)


def run_trial(
    job: TrialJob, judge: Judge, leave: Callable[[], bool] = lambda: False
) -> TrialResult:
    """Have the objective of a job's config train it.

    Args:
        job: What to train.
        judge: Decides at the rungs.
        leave: Whether to leave as soon as possible.

    Raises:
        ConfigError: If the config cannot work after all.
        UserCodeError: If the user's code raises.
    """
    with users_code(job.folder), no_exit():
        return load_objective(job.config, job.candidate).run(job, judge, leave)


def modules_of(config: Config) -> tuple[str, ...]:
    """Return the modules that a worker may import before its first job: Lightning takes seconds."""
    return () if config.names_objective else ("autolr.objective.lightning_objective",)


def load_objective(config: Config, candidate: Candidate) -> Objective:
    """Return the objective of a config, with a candidate's settings; else LightningCLI's.

    A function gets the settings with each trial.

    Args:
        config: The whole config.
        candidate: Whose settings are set, where they are those of the objective.

    Raises:
        ConfigError: If it cannot be imported, or does not take its arguments.
    """
    if config.names_function:
        from autolr.objective.function import FunctionObjective  # here: few studies have one

        return FunctionObjective(config.fit[OBJECTIVE], config.folder)
    make_importable(config.folder)
    section: Any = config.fit
    for name, value in candidate.settings:
        if name.startswith(f"{OBJECTIVE}."):
            section = set_dotted(section, name, value)
    if OBJECTIVE in section:
        return _instantiated(section[OBJECTIVE])
    from autolr.objective.lightning_objective import LightningCLIObjective  # here: it needs torch

    return LightningCLIObjective()


def _distinct(config: Config) -> list[Candidate]:
    """Return candidates that show each setting of the objective that the space has."""
    if not config.names_objective or config.names_function:
        # LightningCLI's own check does that, with its parser; a function takes any setting
        return [Candidate()]
    return [*corners(config.space)] or [Candidate()]


def _instantiated(section: Any) -> Objective:
    path = section.get("class_path") if isinstance(section, Mapping) else section
    fits = isinstance(path, str) and (isinstance(section, str) or section.keys() <= _KEYS)
    if not fits:
        raise ConfigError.of(OBJECTIVE, section, "a class path, or class_path and init_args")
    arguments = (section.get("init_args") or {}) if isinstance(section, Mapping) else {}
    made: Objective = instantiated(OBJECTIVE, _class(str(path)), arguments)
    return made


def _class(path: str) -> Any:
    made = imported(f"{OBJECTIVE}.class_path", path)
    if not (isinstance(made, type) and callable(getattr(made, "run", None))):
        expected = "an objective, a class with check(...) and run(...)"
        raise ConfigError.of(f"{OBJECTIVE}.class_path", path, expected)
    return made
