"""Messages over a TCP connection, without waiting for the other side."""

import selectors
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

from autolr.driver.wire import LONGEST, WireError, from_json, to_json

_LENGTH = struct.Struct("!I")  # before each message: its bytes
_CHUNK = 2**18  # bytes that are read at a time: most messages arrive in one piece
_GONE_AFTER = 30  # seconds: a short outage of the network ends no trial
_KEPT_ALIVE = {  # a host that is gone without a word is noticed, also while something is sent to it
    "TCP_KEEPIDLE": _GONE_AFTER // 2,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": _GONE_AFTER * 1000,
}


class Channel:
    """One end of a connection over which both sides have proved that they know the key.

    A message is its length and its JSON; messages that are sent together arrive together. What the
    other side does not take yet is kept and sent later, and an incomplete message is not waited
    for. One thread may send while another receives.

    Args:
        connection: The connection; it is the channel's from now on.
        hears: A union of the messages that may come.
    """

    def __init__(self, connection: socket.socket, hears: Any) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEPT_ALIVE.items():
            if hasattr(socket, name):  # not on every system
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._socket = connection
        self._hears = hears
        self._received = bytearray()
        self._unsent = bytearray()
        self._sending = threading.Lock()  # a thread that receives sends what another left over

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor; -1 once it is closed."""
        return self._socket.fileno()

    @property
    def unsent(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._unsent)

    def send(self, *messages: object) -> None:
        """Send messages, or what of them the other side takes now.

        Raises:
            OSError: If the connection is broken, or the other side has long taken nothing.
        """
        data = to_json(*messages)
        with self._sending:
            if len(self._unsent) + len(data) > 2 * LONGEST:
                raise OSError("it does not read what is sent to it")
            self._unsent += _LENGTH.pack(len(data)) + data
            self._flush()

    def flush(self) -> None:
        """Send what was left over, as far as the other side takes it.

        Raises:
            OSError: If the connection is broken.
        """
        with self._sending:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass

    def receive(self) -> list[Any]:
        """Return the messages that have come whole, without waiting for more.

        Raises:
            WireError: If something else has come.
            EOFError: If the other side has closed the connection.
            OSError: If it is broken.
        """
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError
        self._received += data
        return list(self._messages())

    def messages(self) -> Iterator[Any]:
        """Yield messages as they come, until the connection ends.

        Raises:
            WireError: If something else has come.
        """
        while True:
            try:
                ready([self], None)
                received = self.receive()
            except (EOFError, OSError, ValueError) as error:  # ValueError: it was closed here
                if isinstance(error, WireError):
                    raise
                return
            yield from received

    def close(self) -> None:
        """End the connection; a thread that waits for messages is woken."""
        with suppress(OSError):  # it is broken, or closed
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _messages(self) -> Iterator[Any]:
        while len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            if length > LONGEST:
                raise WireError(f"a message of {length} bytes, more than {LONGEST}")
            end = _LENGTH.size + length
            if len(self._received) < end:
                return
            data = bytes(self._received[_LENGTH.size : end])
            del self._received[:end]
            yield from from_json(data, self._hears)


def ready(channels: Iterable[Channel], seconds: float | None) -> list[Channel]:
    """Return the channels at which something has come, after ``seconds`` at most.

    Meanwhile what is left over is sent on; a channel where that fails is among them.

    Args:
        channels: Open channels.
        seconds: How long to wait at most; None: without limit.
    """
    with selectors.PollSelector() as selector:  # it needs no descriptor of its own
        for channel in channels:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.unsent else 0)
            selector.register(channel, events)
        return [key.fileobj for key, events in selector.select(seconds) if _is_ready(key, events)]  # type: ignore[misc]


def _is_ready(key: selectors.SelectorKey, events: int) -> bool:
    channel: Any = key.fileobj
    if events & selectors.EVENT_WRITE:
        try:
            channel.flush()
        except OSError:
            return True
    return bool(events & selectors.EVENT_READ)
