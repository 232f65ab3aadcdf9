"""Where a worker finds the driver of its study."""

import time
from contextlib import suppress
from multiprocessing import AuthenticationError
from typing import TYPE_CHECKING, Any, NoReturn

from autolr import study
from autolr.config import TuneConfig
from autolr.driver.open_engine import Door
from autolr.errors import AutoLRError, StorageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

_ASK_EVERY = 2.0  # seconds between questions to a storage


class Lookup:
    """Looks for the driver's door in the folder of results.

    The study itself may say which folder that is. It is not told more: a key in a database is
    known to all who read it, and whoever knows it can have the driver run code.

    Args:
        tune: The settings.
        asks: Whether the study is asked, in its storage; else the folder is that of the settings.

    Attributes:
        over: Whether the study turned out to be complete.
    """

    def __init__(self, tune: TuneConfig, *, asks: bool) -> None:
        self._tune = tune
        self._asks = asks
        self._asked = False
        self._due = 0.0
        self._folder = None if asks else tune.folder
        self._complete = False
        self.over = False

    def enter(self) -> "tuple[Connection[Any, Any], Path] | None":
        """Return a connection to the driver, and its folder; None: no driver is there.

        Raises:
            ConfigError: If the storage or the study cannot be what the settings say.
            StorageError: If the storage could not be read, not even once.
        """
        if self._asks and time.monotonic() >= self._due:
            self._ask()
        door = None if self._folder is None else Door.read(self._folder)
        if door is not None and self._folder is not None and not door.over:
            with suppress(OSError, EOFError, AuthenticationError):
                return door.enter(), self._folder
        self.over = self._complete or (door is not None and door.over)
        return None

    def give_up(self, waited: float) -> NoReturn:
        """Say what is wrong when nobody came for ``waited`` seconds.

        Raises:
            ConfigError: If there is no such study.
            AutoLRError: If it has no driver.
        """
        if self._asks:
            study.look(self._tune.storage, self._tune.study)
        raise AutoLRError(f"no driver {self} for {waited:g} s (autolr tune --engine open)")

    def __str__(self) -> str:
        return f"of study {self._tune.study!r}" if self._asks else f"in {self._folder}"

    def _ask(self) -> None:
        try:
            stored = study.peek(self._tune.storage, self._tune.study)
        except StorageError:
            if not self._asked:
                raise
        else:  # (a server may be restarted in between)
            self._asked = True
            self._folder = None if stored is None else stored.folder
            self._complete = stored is not None and stored.finished >= self._tune.trials
        self._due = time.monotonic() + _ASK_EVERY
