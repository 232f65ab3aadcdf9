"""Optuna's dashboard for a storage, on this machine only."""

from collections.abc import Callable
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from typing_extensions import override

from autolr import study
from autolr.errors import ConfigError
from autolr.extras import install_command

_HOST = "127.0.0.1"  # the dashboard has no password: other hosts must not reach it


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True  # Ctrl-C does not wait for open requests


class _Quiet(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: an open page polls every few seconds."""


def run_dashboard(url: str, name: str | None, port: int, listener: Callable[[str], None]) -> None:
    """Run the dashboard of a storage until an interrupt; a driver may work on it meanwhile.

    Args:
        url: The storage, which must exist.
        name: The study whose page the address is of; None: the list of studies.
        port: A port on 127.0.0.1; 0: any free one.
        listener: Called with a line that has the address, once the server answers.

    Raises:
        ConfigError: If there is no such storage or study, the port is not free, or
            optuna-dashboard is not installed.
        StorageError: If the storage cannot be read.
    """
    storage, number = study.existing(url, name)
    with _listen(port) as server:
        server.set_app(_app(storage))
        page = "dashboard" if number is None else f"dashboard/studies/{number}"
        listener(f"http://{_HOST}:{server.server_port}/{page} (Ctrl-C ends it)")
        server.serve_forever()


def _app(storage: Any) -> Any:
    if find_spec("optuna_dashboard") is None:
        install = install_command("optuna-dashboard")
        raise ConfigError(f"autolr dashboard needs optuna-dashboard: {install}")
    from optuna_dashboard import wsgi  # here: it takes a second to import

    return wsgi(storage)


def _listen(port: int) -> _Server:
    if not 0 <= port <= 65535:
        raise ConfigError.of("port", port, "0 to 65535")
    try:
        return _Server((_HOST, port), _Quiet)
    except OSError as error:
        raise ConfigError.of("port", port, f"one that is free ({error.strerror})") from None
