"""How a driver and a worker prove to each other that they know the key, without saying it.

The driver sends a challenge; the worker answers with one of its own and a code over both; the
driver ends with its code. Each code is an HMAC that names who made it, so that neither a recorded
word nor one sent back to where it came from proves anything. All words have fixed lengths.
"""

import hmac
import secrets
import socket
import time
from multiprocessing import AuthenticationError

WITHIN = 5.0  # seconds for all of it, which are three packets
_NONCE = 32  # random bytes, as many as the code has
_GREETING = b"autolr worker 2\n"  # the last figure counts the versions of the messages
CHALLENGE = len(_GREETING) + _NONCE
_CODE = 32  # bytes of SHA-256
ANSWER = _NONCE + _CODE


def challenge() -> bytes:
    """Return what the driver says first."""
    return _GREETING + secrets.token_bytes(_NONCE)


def confirmation(key: str, challenge: bytes, answer: bytes) -> bytes | None:
    """Return the driver's code for a worker's answer; None: that worker does not know the key.

    Args:
        key: What both must know.
        challenge: What the driver sent.
        answer: What the worker sent.
    """
    nonce, code = answer[:_NONCE], answer[_NONCE:]
    if not hmac.compare_digest(code, _code(key, b"worker", challenge, nonce)):
        return None
    return _code(key, b"driver", challenge, nonce)


def enter(connection: socket.socket, key: str) -> None:
    """Do a worker's part.

    Args:
        connection: To the driver; nothing has been sent yet.
        key: What both must know.

    Raises:
        OSError: If the connection breaks, or it takes too long.
        EOFError: If the other side closes the connection at once.
        AuthenticationError: If it is no driver that knows the key, or it takes this one for a
            stranger.
    """
    end = time.monotonic() + WITHIN
    challenge = _exactly(connection, CHALLENGE, end)
    if not challenge.startswith(_GREETING):
        raise AuthenticationError("no driver of this version")
    nonce = secrets.token_bytes(_NONCE)
    connection.sendall(nonce + _code(key, b"worker", challenge, nonce))
    try:
        answer = _exactly(connection, _CODE, end)
    except EOFError:
        raise AuthenticationError("the driver has another key") from None
    if not hmac.compare_digest(answer, _code(key, b"driver", challenge, nonce)):
        raise AuthenticationError("it does not know the key")


def _exactly(connection: socket.socket, size: int, end: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(1e-3, end - time.monotonic()))
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _code(key: str, who: bytes, challenge: bytes, nonce: bytes) -> bytes:
    return hmac.digest(key.encode(), who + challenge + nonce, "sha256")
