"""Ending a study by a signal, without losing what was finished."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds that a trial has to save itself and leave: less than launchers wait before they kill (10 s
# for docker stop, 30 s for SLURM).
PATIENCE = 3.0
_ONE_SIGNAL = 0.5  # seconds: a launcher may signal a process and its group; no one types so fast


class Interrupted(BaseException):
    """A signal asks for the end; no Exception, so that Lightning lets it pass."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Shutdown:
    """Whether a signal requested the end; it is enforced only inside `within`.

    Elsewhere the study's storage is written, and what is half written would be left behind.
    """

    signum: int | None = None
    _patience: float | None = None

    def requested(self) -> bool:
        """Return whether a signal came."""
        return self.signum is not None

    def ask(self, signum: int) -> None:
        """Note the signal, and enforce it when the patience of the present block is over."""
        self.signum = signum
        if self._patience is not None:
            self._enforce_in(self._patience)

    def enforce(self) -> None:
        """Raise `Interrupted` if that may be done now."""
        if self._patience is not None and self.signum is not None:
            raise Interrupted(self.signum)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Have the block end ``seconds`` after a signal; at once if one came before it."""
        if self.signum is not None:
            raise Interrupted(self.signum)
        self._patience = seconds
        try:
            yield
        finally:
            self._patience = None
            if seconds:
                signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let nothing be enforced inside the block, which is part of one that `within` guards."""
        patience, self._patience = self._patience, None
        try:
            yield
        finally:
            self._patience = patience
        if patience is not None and self.signum is not None:
            self._enforce_in(patience)

    def _enforce_in(self, seconds: float) -> None:
        if seconds:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:
            self.enforce()


@contextmanager
def signals() -> Iterator[Shutdown]:
    """Pass the first SIGINT, SIGTERM or SIGHUP to a `Shutdown`; a second one ends the process.

    Two within half a second are one: ``timeout`` and programs that start others pass on what a
    terminal has sent to all. A terminal that is gone is written to no more. Under ``nohup`` SIGHUP
    means nothing.
    """
    shutdown = Shutdown()
    if threading.current_thread() is not threading.main_thread():
        yield shutdown
        return
    interrupt = _Interrupt(shutdown)

    def alarm(signum: int, frame: FrameType | None) -> None:
        shutdown.enforce()

    handlers: dict[int, Callable[[int, FrameType | None], None]] = {signal.SIGALRM: alarm}
    handlers |= {signal.SIGINT: interrupt, signal.SIGTERM: interrupt}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        handlers[signal.SIGHUP] = interrupt
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield shutdown
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


class _Interrupt:
    """Passes a signal to a `Shutdown`, and ends the process at the next one."""

    def __init__(self, shutdown: Shutdown) -> None:
        self._shutdown = shutdown
        self._first = math.inf
        self._terminals = [number for number in (1, 2) if os.isatty(number)]

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if time.monotonic() > self._first + _ONE_SIGNAL:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        if self._shutdown.requested():
            return
        self._first = time.monotonic()
        if signum == signal.SIGHUP:
            self._silence()
        self._shutdown.ask(signum)

    def _silence(self) -> None:
        """Have what is written to the terminal go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)
