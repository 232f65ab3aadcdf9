"""Errors of the user's code: their one line and place, and whether they would come again."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import jsonargparse

from autolr.disk import disk_error
from autolr.errors import AutoLRError, ConfigError, SetupError, UserCodeError
from autolr.users_modules import error_line, place_of

_PASSING = (MemoryError, ConnectionError, TimeoutError, URLError)
_PASSING_NUMBERS = {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
_PASSING_WORDS = ("out of memory", "can't allocate memory", "dataloader worker (pid")


@contextlib.contextmanager
def users_code(folder: Path) -> Iterator[None]:
    """Give errors of the user's code a name of their own and a place; ours and interrupts pass.

    Args:
        folder: Where a run writes; a full disk there is not that code's fault.
    """
    try:
        yield
    except AutoLRError:
        raise
    except Exception as error:
        root = _unwrapped(error)
        if isinstance(root, AutoLRError):
            raise root from None
        if (full := disk_error(root, folder)) is not None:
            raise full from root
        raise UserCodeError(error_line(root)) from root


@contextlib.contextmanager
def before_first_step(begun: Callable[[], bool], *, sampled: bool = False) -> Iterator[None]:
    """Raise an error of the user's code that comes before the first step as a `SetupError`.

    What raises while a run is set up does so at every attempt. Out of memory, out of descriptors,
    a connection that failed and a worker of the data that was killed may pass: they stay.

    Args:
        begun: Whether the run has made a step.
        sampled: Whether its config has values of the space. Without them it has passed the check,
            so a `ConfigError` is theirs, and other trials may go on.
    """
    try:
        yield
    except (ConfigError, UserCodeError) as error:
        lasting = sampled if isinstance(error, ConfigError) else not _may_pass(error.__cause__)
        if begun() or not lasting:
            raise
        raise SetupError(str(error)) from error.__cause__ or error


@contextlib.contextmanager
def no_exit() -> Iterator[None]:
    """Raise an error where the user's code ends the process."""
    try:
        yield
    except SystemExit as error:
        line = f"the process was ended: SystemExit: {error.code}{place_of(error)}"
        raise UserCodeError(line) from error


def _unwrapped(error: Exception) -> Exception:
    """Return what a class raised as the parser made it: the parser wraps it up to four times."""
    while _is_parsers(error) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _is_parsers(error: Exception) -> bool:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    home = Path(jsonargparse.__file__).parent
    return frame is not None and home in Path(frame.tb_frame.f_code.co_filename).parents


def _may_pass(error: BaseException | None) -> bool:
    if isinstance(error, _PASSING) or getattr(error, "errno", None) in _PASSING_NUMBERS:
        return True
    return any(words in str(error).lower() for words in _PASSING_WORDS)
