"""Where a driver takes workers, as its folder of results says it."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from autolr.driver import handshake
from autolr.driver.channel import Channel
from autolr.driver.messages import ToWorker
from autolr.driver.trust import check_shared, read_private

FILE = "driver.json"
_LONGEST = 4096  # bytes of the file, which has some 150


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a driver takes workers, as it is written in its folder.

    Attributes:
        host: Its name or address.
        port: The port.
        key: What a worker must know; only the folder's owner can read it.
        over: Whether the study is complete, and no worker is needed any more.
    """

    host: str
    port: int
    key: str
    over: bool = False

    @classmethod
    def read(cls, folder: Path) -> "Endpoint | None":
        """Return the endpoint of the driver in a folder; None: there is none.

        Raises:
            ConfigError: If another user could have written it.
        """
        check_shared(folder)
        data = read_private(folder / FILE, _LONGEST)
        try:
            endpoint = cls(**json.loads(data or b""))
        except (ValueError, TypeError, RecursionError):
            return None
        types = (type(endpoint.host), type(endpoint.port), type(endpoint.key), type(endpoint.over))
        return endpoint if types == (str, int, str, bool) and 0 < endpoint.port < 2**16 else None

    def write(self, folder: Path) -> None:
        """Show the endpoint to all processes of this user that see the folder."""
        draft = folder / f"{FILE}.new"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        draft.replace(folder / FILE)  # never half a file

    def enter(self) -> Channel:
        """Return a channel to the driver.

        Raises:
            OSError: If no answer comes in time.
            EOFError: If the other side closes the connection.
            AuthenticationError: If it is not the driver.
        """
        connection = socket.create_connection((self.host, self.port), handshake.WITHIN)
        try:
            handshake.enter(connection, self.key)
            return Channel(connection, ToWorker)
        except BaseException:
            connection.close()
            raise
