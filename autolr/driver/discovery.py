"""Finding the driver of a study."""

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

_ASK_EVERY = 2.0  # seconds between questions to a storage, which all waiting workers ask
_GRACE = 30.0  # seconds that a driver of the same job may take to start: imports take several


class Discovery:
    """Looks for the driver's endpoint in the folder of results.

    The study itself may say which folder that is. It holds no more: all who can read a database
    would know the key, and with the key anyone can have a worker run code.

    A study that is complete may be about to be started again, with more trials or afresh. So only
    an endpoint that was absent, or not over, at the first look is believed at once when it says
    that it is over. Anything else that looks complete is believed after half a minute without a
    driver; a worker that has had a driver, which knows how many trials are wanted, keeps waiting.

    Args:
        tune: The settings.
        asks: Whether the study's storage says where the folder is; else the settings do.
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
        self._answered = False
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
            ConfigError: If the storage or the study cannot be what the settings say, or another
                user can write to the folder or to its file about the driver.
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
                connected = endpoint.enter(), self._folder
                self._looked = self._entered = True
                return connected
        if not self._looked:
            self._looked, self._old = True, endpoint
        self._note(endpoint)
        return None

    def give_up(self, waited: float) -> NoReturn:
        """Say what is wrong after ``waited`` seconds without a driver.

        Raises:
            ConfigError: If there is no such study.
            AutoLRError: If it has no driver.
        """
        if self._asks:
            study.look(self._tune.storage, self._tune.study)
        raise AutoLRError(f"no driver {self} for {waited:g} s (autolr tune --engine remote)")

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
            if not self._answered:
                raise
        else:  # (a server may be restarted in between)
            self._answered = True
            self._folder = None if stored is None else stored.folder
            self._stored_complete = stored is not None and stored.finished >= self._tune.trials
        self._due = time.monotonic() + _ASK_EVERY
