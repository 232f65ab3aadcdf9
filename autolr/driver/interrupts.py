"""Ending a study by a signal, without losing what was finished."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """A signal asks for the end; no Exception, so that Lightning lets it pass."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Stop:
    """Whether a signal asked for the end; it is obeyed at once only inside `at_once`.

    Elsewhere the study's storage is written, and what is half written would be left behind.
    """

    signum: int | None = None
    _at_once = False

    def ask(self, signum: int) -> None:
        """Note the signal, and obey it if that may be done now."""
        self.signum = signum
        if self._at_once:
            raise Interrupted(signum)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Obey a signal at once inside the block, as well as one that came before it."""
        self._at_once = True
        try:
            if self.signum is not None:
                raise Interrupted(self.signum)
            yield
        finally:
            self._at_once = False


@contextmanager
def signals() -> Iterator[Stop]:
    """Tell the first SIGINT or SIGTERM to a `Stop`; a second one ends the process."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_DFL)
        stop.ask(signum)

    before = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
