"""Messages over a connection that is slow, silent, broken or lies."""

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from autolr.driver import channel as channel_module
from autolr.driver.channel import Channel, ready
from autolr.driver.messages import FromWorker, Ready, Remark
from autolr.driver.wire import LONGEST, WireError, to_json


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and what is at its other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = socket.create_connection(server.getsockname())
        actual, _ = server.accept()
    with Channel(actual, FromWorker) as channel, other:
        yield channel, other


def framed(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


def heard(channel: Channel) -> list[object]:
    return channel.receive() if ready([channel], 5.0) else []


def test_a_message_that_comes_in_pieces_blocks_no_reader(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, other = ends
    data = framed(to_json(Ready())) + framed(to_json(Remark("x")))
    for byte in data[:-1]:
        other.sendall(bytes([byte]))
        began = time.monotonic()
        actual = heard(channel)
        assert actual in ([], [Ready()])
        assert time.monotonic() - began < 1
    other.sendall(data[-1:])
    assert heard(channel) == [Remark("x")]
    other.sendall(data + framed(to_json(Ready(), Remark("y"))))
    assert heard(channel) == [Ready(), Remark("x"), Ready(), Remark("y")]


def test_who_does_not_read_holds_no_sender_up(ends: tuple[Channel, socket.socket]) -> None:
    channel, other = ends
    large = Remark("x" * 2**23)
    began = time.monotonic()
    channel.send(large)
    channel.send(Ready())
    assert channel.unsent
    for _ in range(3):
        channel.send(large)
    with pytest.raises(OSError, match="does not read"):
        channel.send(large)
    assert time.monotonic() - began < 5

    expected = framed(to_json(large)) + framed(to_json(Ready())) + 3 * framed(to_json(large))

    def read() -> bytes:
        data = b""
        while len(data) < len(expected):
            data += other.recv(2**20)
        return data[: len(expected)]

    with ThreadPoolExecutor() as reader:
        came = reader.submit(read)
        while not came.done():
            ready([channel], 0.01)
    assert came.result() == expected


@pytest.mark.slow
def test_two_threads_that_send_write_each_byte_once(ends: tuple[Channel, socket.socket]) -> None:
    channel, other = ends
    words = [Remark(f"{number} " + "x" * 2**16) for number in range(60)]
    expected = b"".join(framed(to_json(word)) for word in words)

    def read() -> bytes:
        data = b""
        while len(data) < len(expected) and (more := other.recv(2**14)):
            data += more
        return data

    def send() -> None:
        for word in words:
            channel.send(word)

    with ThreadPoolExecutor() as threads:
        came, sent = threads.submit(read), threads.submit(send)
        while not (came.done() and sent.done()):
            ready([channel], 0.0)  # as a thread that waits for messages does
            if sent.done() and sent.exception():
                other.close()
    sent.result()
    assert came.result() == expected


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", LONGEST + 1),
        framed(b"{}"),
        framed(b"[{}]"),
        framed(b""),
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_message_ends_the_connection(
    ends: tuple[Channel, socket.socket], data: bytes
) -> None:
    channel, other = ends
    other.sendall(data)
    with pytest.raises(WireError):
        heard(channel)
    other.close()


def test_a_broken_connection_is_noticed_by_who_reads_and_who_writes(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, other = ends
    other.close()
    assert ready([channel], 5.0) == [channel]
    with pytest.raises(EOFError):
        channel.receive()
    assert list(channel.messages()) == []
    with suppress(ConnectionError):
        channel.send(Ready())  # the answer is that the other end is gone
    time.sleep(0.2)
    with pytest.raises(ConnectionError):
        channel.send(Ready())


def test_who_waits_for_messages_is_woken_when_the_channel_is_closed(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, _ = ends
    with ThreadPoolExecutor() as listener:
        listening = listener.submit(lambda: list(channel.messages()))
        time.sleep(0.1)
        channel.close()
        assert listening.result(timeout=5) == []


def test_a_host_that_is_gone_is_noticed_within_half_a_minute() -> None:
    kept = channel_module._KEPT_ALIVE
    assert kept["TCP_KEEPIDLE"] + kept["TCP_KEEPINTVL"] * kept["TCP_KEEPCNT"] == 30
    assert kept["TCP_USER_TIMEOUT"] == 30_000
