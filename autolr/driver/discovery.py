"""Where a worker finds the driver of its study."""

import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from typing import TYPE_CHECKING, NoReturn

from autolr import study
from autolr.disk import check_folder
from autolr.driver.endpoint import Endpoint
from autolr.driver.trust import check_shared
from autolr.errors import AutoLRError, StorageError
from autolr.tune_config import TuneConfig

if TYPE_CHECKING:
    from pathlib import Path

    from autolr.driver.channel import Channel

_ASK_EVERY = 2.0  # seconds between questions to a storage
_GRACE = 30.0  # seconds that a driver of the same job may take to start


class Discovery:
    """Looks for the driver's endpoint in the folder of results.

    The study itself may say which folder that is. It is not told more: a key in a database is
    known to all who read it, and whoever knows it can have the driver run code.

    A study that is complete may be about to be started again, with more trials or afresh. So only a
    endpoint that was not there, or not over, at the first look says at once that it is over. All else
    that looks complete does so after half a minute in which no driver came; and to one who has
    had a driver, which knows better how many trials there shall be, not before it gives up.

    Args:
        tune: The settings.
        asks: Whether the study is asked, in its storage; else the folder is that of the settings.
        listener: Gets a line about a folder that the group can write to.

    Attributes:
        complete: Whether the study looked complete when it was last looked at.
        over: Whether it is, and nothing is to be waited for.

    Raises:
        ConfigError: If the folder cannot be one.
    """

    def __init__(
        self,
        tune: TuneConfig,
        *,
        asks: bool,
        listener: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not asks:
            check_folder(tune.folder)
        self._tune = tune
        self._asks = asks
        self._listener = listener
        self._warned: str | None = None
        self._asked = False
        self._due = 0.0
        self._folder = None if asks else tune.folder
        self._stored_complete = False
        self._looked = self._entered = False
        self._old: Endpoint | None = None  # at the first look
        self._patient_until = time.monotonic() + _GRACE
        self.complete = False
        self.over = False

    def enter(self) -> "tuple[Channel, Path] | None":
        """Return a channel to the driver, and its folder; None: no driver is there.

        Raises:
            ConfigError: If the storage or the study cannot be what the settings say, or somebody
                else can write to the folder or to its file about the driver.
            StorageError: If the storage could not be read, not even once.
        """
        if self._asks and time.monotonic() >= self._due:
            self._ask()
        if self._folder is None:
            self._note(None)
            return None
        self._warn(self._folder)
        endpoint = Endpoint.read(self._folder)
        if endpoint is not None and not endpoint.over:
            with suppress(OSError, EOFError, AuthenticationError, UnicodeError):
                found = endpoint.enter(), self._folder
                self._looked = self._entered = True
                return found
        if not self._looked:
            self._looked, self._old = True, endpoint
        self._note(endpoint)
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

    def _note(self, endpoint: Endpoint | None) -> None:
        """Note whether the study is complete, and whether that is to be believed."""
        is_over = endpoint is not None and endpoint.over
        self.complete = is_over or self._stored_complete
        waited = not self._entered and time.monotonic() >= self._patient_until
        self.over = self.complete and (waited or (is_over and endpoint != self._old))

    def _warn(self, folder: "Path") -> None:
        line = check_shared(folder)
        if line is not None and line != self._warned:
            self._listener(line)
        self._warned = line or self._warned

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
            self._stored_complete = stored is not None and stored.finished >= self._tune.trials
        self._due = time.monotonic() + _ASK_EVERY
