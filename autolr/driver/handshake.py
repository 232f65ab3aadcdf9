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

WITHIN = 5.0  # seconds for all of it
_NONCE = 32  # bytes
_GREETING = b"autolr worker 2\n"  # the last figure counts the versions of the messages
CHALLENGE = len(_GREETING) + _NONCE
_CODE = 32  # bytes of SHA-256
ANSWER = _NONCE + _CODE


def challenge() -> bytes:
    """Return what the driver says first."""
    return _GREETING + secrets.token_bytes(_NONCE)


def confirmation(key: str, challenge: bytes, answer: bytes) -> bytes | None:
    """Return what the driver says to a worker's answer; None: that one does not know the key."""
    nonce, code = answer[:_NONCE], answer[_NONCE:]
    if not hmac.compare_digest(code, _code(key, b"worker", challenge, nonce)):
        return None
    return _code(key, b"driver", challenge, nonce)


def enter(found: socket.socket, key: str) -> None:
    """Do a worker's part.

    Raises:
        OSError: If the connection breaks, or it takes too long.
        EOFError: If the other side closes the connection at once.
        AuthenticationError: If it is no driver that knows the key, or it takes this one for a
            stranger.
    """
    end = time.monotonic() + WITHIN
    asked = _exactly(found, CHALLENGE, end)
    if not asked.startswith(_GREETING):
        raise AuthenticationError("no driver of this version")
    nonce = secrets.token_bytes(_NONCE)
    found.sendall(nonce + _code(key, b"worker", asked, nonce))
    try:
        said = _exactly(found, _CODE, end)
    except EOFError:
        raise AuthenticationError("the driver has another key") from None
    if not hmac.compare_digest(said, _code(key, b"driver", asked, nonce)):
        raise AuthenticationError("it does not know the key")


def _exactly(found: socket.socket, size: int, end: float) -> bytes:
    data = b""
    while len(data) < size:
        found.settimeout(max(1e-3, end - time.monotonic()))
        more = found.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _code(key: str, who: bytes, challenge: bytes, nonce: bytes) -> bytes:
    return hmac.digest(key.encode(), who + challenge + nonce, "sha256")
