"""Takes connections, and passes on those that have proved that they know the key."""

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from autolr.driver import handshake

_UNPROVEN = 32  # connections at a time that have not proved the key: few of a process's descriptors
_LOOK_EVERY = 0.5  # seconds until the thread notices that it shall end
_REST = 0.1  # seconds until the next try when there is no descriptor for another connection
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass
class _Visitor:
    """A connection that has not proved the key."""

    socket: socket.socket
    challenge: bytes
    end: float
    said: bytes = field(default=b"")


class Admission:
    """Accepts connections in a thread of its own, and waits for none of them.

    Each has 5 seconds for its whole proof. When there are 32 that have not proved the key and
    another one comes, the oldest is closed, for a worker is done at once: strangers take each
    other's place, not a worker's. When descriptors run out it closes strangers too, and
    continues to accept.

    Args:
        listener: Where connections come; it is closed in the end.
        key: What they must know.
        admit: Takes those that do; called in the thread.
    """

    def __init__(
        self, listener: socket.socket, key: str, admit: Callable[[socket.socket], None]
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._key = key
        self._admit = admit
        self._visitors: dict[socket.socket, _Visitor] = {}  # oldest first
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more, and close what has not proved the key."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(2 * _LOOK_EVERY)
        self._listener.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(self._until_next_end()):
                if key.fileobj is self._listener:
                    self._accept()
                elif (visitor := self._visitors.get(key.fileobj)) is not None:  # type: ignore[call-overload]
                    self._hear(visitor)
            for visitor in list(self._visitors.values()):
                if time.monotonic() >= visitor.end:
                    self._turn_away(visitor)
        for visitor in list(self._visitors.values()):
            self._turn_away(visitor)
        self._selector.close()

    def _until_next_end(self) -> float:
        oldest = next(iter(self._visitors.values()), None)
        left = _LOOK_EVERY if oldest is None else oldest.end - time.monotonic()
        return min(max(left, 0.0), _LOOK_EVERY)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:  # others: the visitor is gone again, or the listener is closed
            if error.errno in _SCARCE and not self._turn_away_oldest():
                self._closed.wait(_REST)
            return
        if len(self._visitors) >= _UNPROVEN:
            self._turn_away_oldest()
        visitor = _Visitor(connection, handshake.challenge(), time.monotonic() + handshake.WITHIN)
        connection.setblocking(False)
        self._visitors[connection] = visitor
        self._selector.register(connection, selectors.EVENT_READ)
        self._say(visitor, visitor.challenge)

    def _hear(self, visitor: _Visitor) -> None:
        try:
            more = visitor.socket.recv(handshake.ANSWER - len(visitor.said))
        except BlockingIOError:
            return
        except OSError:
            more = b""
        visitor.said += more
        if not more:
            self._turn_away(visitor)
        elif len(visitor.said) == handshake.ANSWER:
            self._judge(visitor)

    def _judge(self, visitor: _Visitor) -> None:
        word = handshake.confirmation(self._key, visitor.challenge, visitor.said)
        if word is None:
            self._turn_away(visitor)
        elif self._say(visitor, word):
            self._forget(visitor)
            self._admit(visitor.socket)

    def _say(self, visitor: _Visitor, word: bytes) -> bool:
        """Send a word, which a new connection takes at once; else turn the visitor away."""
        try:
            whole = visitor.socket.send(word) == len(word)
        except OSError:
            whole = False
        if not whole:
            self._turn_away(visitor)
        return whole

    def _turn_away_oldest(self) -> bool:
        """Turn the oldest visitor away; return whether there was one."""
        oldest = next(iter(self._visitors.values()), None)
        if oldest is not None:
            self._turn_away(oldest)
        return oldest is not None

    def _turn_away(self, visitor: _Visitor) -> None:
        self._forget(visitor)
        visitor.socket.close()

    def _forget(self, visitor: _Visitor) -> None:
        del self._visitors[visitor.socket]
        self._selector.unregister(visitor.socket)
