"""Checking a config in this process, or in a worker where a run has several ranks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from autolr import objective, study
from autolr.config import Config
from autolr.driver.devices import per_trial, shared_out, visible
from autolr.driver.estimate import searches
from autolr.driver.events import Event
from autolr.driver.local import LocalEngine
from autolr.driver.messages import Checked, with_traceback
from autolr.driver.pool import Pool
from autolr.driver.signals import Shutdown
from autolr.errors import ConfigError, UserCodeError


def check_here(config: Config, folder: Path) -> Checked:
    """Have the objective check a config in this process.

    Args:
        config: The whole config.
        folder: Where the traceback of a user's error goes.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the user's code raises.
    """
    try:
        return Checked(*objective.check_run(config, folder))
    except UserCodeError as error:
        raise with_traceback(error, folder / "error.txt") from error


def suited(config: Config, checked: Checked) -> Checked:
    """Return what is known of a run, with a warning of a prior that nothing begins around.

    Several seeds are refused for trials that cannot wait for each other at a rung.

    Args:
        config: The whole config.
        checked: What is known of a run.

    Raises:
        ConfigError: If there are several, the study prunes, and its runs cannot be resumed at a
            rung, or have several ranks.
    """
    tune = config.tune
    several = tune.seeds > 1 and tune.pruner.name != "none"
    if several and (not checked.pauses or per_trial(config.fit.get("trainer")) > 1):
        why = "several devices" if checked.pauses else "no checkpoint to be resumed from"
        raise ConfigError(
            f"tune.seeds is {tune.seeds}, and runs with {why} cannot wait for each other at rungs: "
            "write tune.pruner: none"
        )
    if tune.prior is None or tune.sampler in study.LOCAL or searches(config):
        return checked
    line = f"tune.prior is not used: only {', '.join(study.LOCAL)} draw around one, and no trial "
    line += "searches its peak"
    return replace(checked, warnings=(*checked.warnings, line))


def check_anywhere(config: Config, listener: Callable[[Event], None]) -> Checked:
    """Check in this process; a run of several ranks in another, for Lightning starts it again.

    Args:
        config: The whole config.
        listener: Called if the worker is lost.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the user's code raises.
    """
    ranks = per_trial(config.fit.get("trainer"))
    if ranks == 1:
        return check_here(config, config.tune.folder)
    devices = shared_out(1, ranks if visible() else 1)
    engine = LocalEngine(devices, config.tune.folder, objective.modules_of(config))
    pool = Pool(config, engine, 1, Shutdown(), listener)
    try:
        pool.start()
        return pool.check()
    finally:
        engine.close()
