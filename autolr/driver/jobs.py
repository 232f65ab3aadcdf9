"""What a worker does with a message: check a config or train a trial, and answer."""

from collections.abc import Callable
from pathlib import Path

from autolr import objective
from autolr.config import import_registered
from autolr.disk import disk_errors
from autolr.driver.messages import (
    CheckConfig,
    Checked,
    Done,
    Failed,
    FromWorker,
    TrainTrial,
    with_traceback,
)
from autolr.errors import AutoLRError, StorageError, UserCodeError
from autolr.job import Judge


def do_job(
    message: CheckConfig | TrainTrial, judge: Judge, leave: Callable[[], bool]
) -> FromWorker:
    """Check or train, and return the answer for the driver; an error comes as `Failed`.

    Args:
        message: What to do.
        judge: Passes scores on to the driver, and returns its decisions.
        leave: Whether the trial shall be written down and left.
    """
    return guarded(lambda: performed(message, judge, leave), folder_of(message))


def performed(
    message: CheckConfig | TrainTrial, judge: Judge, leave: Callable[[], bool]
) -> FromWorker:
    """Check or train, and return the answer.

    Args:
        message: What to do.
        judge: As for `do_job`.
        leave: As for `do_job`.
    """
    import_names(message)
    if isinstance(message, CheckConfig):
        return Checked(*objective.check_run(message.config, message.folder))
    return Done(objective.run_trial(message.job, judge, leave))


def import_names(message: CheckConfig | TrainTrial) -> None:
    """Import the modules whose rules and profiles a job names; it cannot be written before."""
    import_registered(message.config if isinstance(message, CheckConfig) else message.job.config)


def guarded(action: Callable[[], FromWorker], folder: Path) -> FromWorker:
    """Return what an action returns, or the error that it raised as a message.

    Args:
        action: What may raise.
        folder: Where it writes; the traceback of a user's error goes there.
    """
    try:
        with disk_errors(folder):
            return action()
    except UserCodeError as error:
        return _failed(error, folder)
    except AutoLRError as error:
        return Failed(type(error).__name__, str(error))


def folder_of(message: CheckConfig | TrainTrial) -> Path:
    """Return the folder that a job writes to."""
    return message.folder if isinstance(message, CheckConfig) else message.job.folder


def _failed(error: UserCodeError, folder: Path) -> Failed:
    try:
        with_place = with_traceback(error, folder / "error.txt")
    except StorageError as full:
        return Failed(StorageError.__name__, str(full))
    shown = error if folder.name.startswith(("trial_", "seed_")) else with_place
    return Failed(type(error).__name__, str(shown))
