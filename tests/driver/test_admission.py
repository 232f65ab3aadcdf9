"""Who is let in by a driver that takes workers, and what strangers can do to it."""

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import AuthenticationError
from pathlib import Path

import pytest

from autolr.driver import handshake, remote_engine
from autolr.driver.endpoint import Endpoint
from autolr.driver.messages import FromWorker, Lost, Ready, StudyOver
from autolr.driver.remote_engine import RemoteEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RemoteEngine]:
    made = RemoteEngine(tmp_path, "127.0.0.1")
    made.start(0)
    yield made
    made.close()


@pytest.fixture
def endpoint(engine: RemoteEngine, tmp_path: Path) -> Endpoint:
    actual = Endpoint.read(tmp_path)
    assert actual is not None
    return actual


def visit(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.host, endpoint.port), 5)


def is_closed(visitor: socket.socket) -> bool:
    """Return whether the other side has closed a connection, after what it had sent."""
    visitor.settimeout(0.01)
    with suppress(TimeoutError):
        while True:
            try:
                if not visitor.recv(4096):
                    return True
            except ConnectionError:
                return True
    return False


def next_message(engine: RemoteEngine, seconds: float = 5.0) -> tuple[int, FromWorker]:
    end = time.monotonic() + seconds
    while not (heard := engine.poll(0.1)):
        assert time.monotonic() < end
    return heard[0]


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_byte_now_and_then_does_not_prolong_the_handshake(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "WITHIN", 0.6)
    with visit(endpoint) as slow:
        began = time.monotonic()
        while not is_closed(slow):
            with suppress(OSError):
                slow.send(b"x")
            time.sleep(0.1)
            assert time.monotonic() - began < 3
        assert time.monotonic() - began >= 0.5


def test_a_driver_that_says_a_byte_now_and_then_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "WITHIN", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as worker:
        entering = worker.submit(Endpoint("127.0.0.1", server.getsockname()[1], "key").enter)
        accepted, _ = server.accept()
        with accepted:
            for _ in range(20):
                with suppress(OSError):
                    accepted.send(b"x")
                time.sleep(0.1)
                if entering.done():
                    break
            assert isinstance(entering.exception(timeout=1), TimeoutError)


def test_a_recorded_answer_proves_nothing(engine: RemoteEngine, endpoint: Endpoint) -> None:
    """A relay stands between a worker and its driver, and says again what it has heard."""
    with socket.create_server(("127.0.0.1", 0)) as relay, ThreadPoolExecutor() as worker:
        there = Endpoint("127.0.0.1", relay.getsockname()[1], endpoint.key)
        entering = worker.submit(there.enter)
        inner, _ = relay.accept()
        with inner, visit(endpoint) as outer:
            inner.sendall(outer.recv(handshake.CHALLENGE, socket.MSG_WAITALL))
            answer = inner.recv(handshake.ANSWER, socket.MSG_WAITALL)
            outer.sendall(answer)
            inner.sendall(outer.recv(32, socket.MSG_WAITALL))
            entering.result().close()
    with visit(endpoint) as again:
        again.recv(handshake.CHALLENGE, socket.MSG_WAITALL)
        again.sendall(answer)
        until(lambda: is_closed(again))


def test_words_of_the_driver_sent_back_prove_nothing(endpoint: Endpoint) -> None:
    with visit(endpoint) as first:
        challenge = first.recv(handshake.CHALLENGE, socket.MSG_WAITALL)
        first.sendall((challenge * 2)[: handshake.ANSWER])
        until(lambda: is_closed(first))


def test_who_does_not_know_the_key_is_no_driver() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as worker:
        entering = worker.submit(Endpoint("127.0.0.1", server.getsockname()[1], "key").enter)
        accepted, _ = server.accept()
        with accepted:
            challenge = handshake.challenge()
            accepted.sendall(challenge)
            answer = accepted.recv(handshake.ANSWER, socket.MSG_WAITALL)
            assert handshake.confirmation("key", challenge, answer) is not None
            accepted.sendall(answer[32:])  # its own code
            assert isinstance(entering.exception(timeout=5), AuthenticationError)


def test_at_most_32_strangers_are_there_and_a_worker_gets_in(
    engine: RemoteEngine, endpoint: Endpoint
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with ExitStack() as stack:
        strangers = [stack.enter_context(visit(endpoint)) for _ in range(100)]
        until(lambda: sum(map(is_closed, strangers)) == 68)
        assert len(os.listdir("/proc/self/fd")) - before <= 100 + 32
        with endpoint.enter() as channel:
            channel.send(Ready())
            assert next_message(engine) == (0, Ready())


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Take all that this process may still open, and give them back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, before[1]))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_short_lack_of_descriptors_makes_no_driver_deaf(
    engine: RemoteEngine, endpoint: Endpoint
) -> None:
    visitors = [socket.socket() for _ in range(3)]
    with no_descriptors():
        for visitor in visitors:
            visitor.connect((endpoint.host, endpoint.port))
        time.sleep(0.5)
    with endpoint.enter() as channel:
        channel.send(Ready())
        assert next_message(engine) == (0, Ready())
    for visitor in visitors:
        visitor.close()


def test_a_worker_that_sends_nonsense_is_dropped_in_a_line_and_the_next_one_takes_its_seat(
    engine: RemoteEngine, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with endpoint.enter() as channel:
        channel._socket.send(b"\0\0\0\4[{}]")
        until(lambda: not engine.poll(0.01) and bool(caplog.records))
    (record,) = caplog.records
    assert record.getMessage() == "worker 0 is dropped, what it sent is no message: no message"
    with endpoint.enter() as channel:
        channel.send(Ready())
        assert next_message(engine) == (0, Ready())
        channel._socket.send(b"\xff\xff\xff\xff")
        assert next_message(engine) == (0, Lost("what it sent is no message", own_fault=False))


def test_a_silent_worker_gives_its_seat_to_one_that_waits(
    engine: RemoteEngine, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_engine, "_READY_WITHIN", 0.3)
    engine.send(0, StudyOver())  # any message
    with endpoint.enter() as silent:
        until(lambda: not engine.poll(0.01) and 0 in engine._channels)
        time.sleep(0.4)
        assert engine.poll(0.01) == []
        assert not is_closed(silent._socket)  # no other connection is there
        with endpoint.enter() as other:
            other.send(Ready())
            assert next_message(engine) == (0, Ready())
            assert next(other.messages()) == StudyOver()


def test_half_a_message_of_one_worker_holds_up_no_other(
    engine: RemoteEngine, endpoint: Endpoint
) -> None:
    engine.start(1)
    with endpoint.enter() as one, endpoint.enter() as other:
        one.send(Ready())
        other.send(Ready())
        seen: set[int] = set()
        while len(seen) < 2:
            seen.update(number for number, _ in engine.poll(1.0))
        one._socket.send(b"\0\0\1\0{")
        began = time.monotonic()
        other.send(Ready())
        assert next_message(engine) == (1, Ready())
        assert time.monotonic() - began < 1
