"""Errors of the user's code: where they were raised, and whether they would come again."""

import contextlib
import errno
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.error import URLError

from autolr.callbacks.namespaces import Trainer
from autolr.errors import SetupError, UserCodeError

_PASSING = (MemoryError, ConnectionError, TimeoutError, URLError)
_PASSING_NUMBERS = {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
_PASSING_WORDS = ("out of memory", "can't allocate memory", "dataloader worker (pid")
_INSTALLED = ("site-packages", "dist-packages")
_STANDARD = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


@contextlib.contextmanager
def before_first_step(trainers: Sequence[Trainer]) -> Iterator[None]:
    """Raise an error of the user's code that comes before the first step as a `SetupError`.

    What raises while a run is set up does so at every attempt. Out of memory, out of descriptors,
    a connection that failed and a worker of the data that was killed may pass; they stay as they
    are.

    Args:
        trainers: The run's Trainer, as soon as it is made.
    """
    try:
        yield
    except UserCodeError as error:
        if any(trainer.global_step for trainer in trainers) or _may_pass(error.__cause__):
            raise
        raise SetupError(str(error)) from error.__cause__


@contextlib.contextmanager
def no_exit() -> Iterator[None]:
    """Raise an error where the user's code ends the process."""
    try:
        yield
    except SystemExit as error:
        told = f"the process was ended: SystemExit: {error.code}{place_of(error)}"
        raise UserCodeError(told) from error


def place_of(error: BaseException) -> str:
    """Return the innermost line of the user's own code in a traceback, " (FILE:LINE)", or ""."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if _is_users(file, str(frame.f_globals.get("__name__"))):
            return f" ({_shown(Path(file))}:{line})"
    return ""


def _may_pass(error: BaseException | None) -> bool:
    if isinstance(error, _PASSING) or getattr(error, "errno", None) in _PASSING_NUMBERS:
        return True
    return any(words in str(error).lower() for words in _PASSING_WORDS)


def _is_users(file: str, module: str) -> bool:
    if file.startswith("<") or module.partition(".")[0] == "autolr":
        return False
    path = Path(file)
    if any(name in path.parts for name in _INSTALLED):
        return False
    return not any(path.is_relative_to(folder) for folder in _STANDARD)


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
