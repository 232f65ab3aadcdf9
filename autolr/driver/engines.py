"""What runs workers: the protocol of an engine, and the registry of those that have a name.

Experimental: the protocol may change between minor versions.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, Self, TypeVar

from autolr.class_paths import imported
from autolr.config import Config
from autolr.driver.messages import FromWorker, ToWorker
from autolr.errors import ConfigError, unknown_name
from autolr.study import Lease, Session

_Class = TypeVar("_Class", bound="type[Engine]")
_NAMED: dict[str, "str | type[Engine]"] = {  # paths: an engine is imported when it is chosen
    "local": "autolr.driver.local:LocalEngine",
    "ray": "autolr.driver.ray_engine:RayEngine",
    "remote": "autolr.driver.remote_engine:RemoteEngine",
}
_FORMER = {"open": "remote"}  # names that configs of 0.1 have


class Engine(Protocol):
    """Runs workers, each known by a number; one that ends or is killed can be started again.

    Experimental: it may change between minor versions.

    The class prepares a study's config and says where its workers are placed; the object that
    `place` returns runs them. Derive from it to have the defaults of the first three methods.
    A worker is whatever answers messages: for a `CheckConfig` or `TrainTrial` it does what
    `autolr.driver.do_job` does, and sends what that returns.

    Attributes:
        workers: How many shall be started, numbered from 0.
    """

    workers: int

    @classmethod
    def prepare(cls, config: Config, note: Callable[[str], None]) -> Config:
        """Return the config as this engine needs it, before anything is opened.

        Args:
            config: The whole config.
            note: Takes a line that the user should know.

        Raises:
            ConfigError: If the config cannot work with this engine.
        """
        return config

    @classmethod
    def place(cls, config: Config) -> "Self | None":
        """Return an engine for the workers of a study.

        Returns:
            The engine; None: one trial at a time can be trained in the driver's own process, and
            no worker is needed.

        Raises:
            ConfigError: If what it needs is not installed or not there.
        """

    def announced(
        self, config: Config, session: Session | None, listener: Callable[[Any], None]
    ) -> AbstractContextManager[None]:
        """Have workers find the study, from before they start until it is open.

        Args:
            config: The whole config.
            session: What holds the lock, where that is a database's.
            listener: Takes events.
        """
        return nullcontext()

    def start(self, worker: int) -> None:
        """Start a worker; it sends `Ready` when it has imported what it needs."""

    def send(self, worker: int, message: ToWorker) -> None:
        """Send a message; one to a worker that is gone is dropped.

        Args:
            worker: Its number.
            message: What it gets.
        """

    def poll(self, seconds: float) -> list[tuple[int, FromWorker]]:
        """Return messages that workers sent, after ``seconds`` at most.

        The last message of a worker that is gone is `Lost`, unless it was killed here.
        """

    def kill(self, worker: int) -> None:
        """End a worker and all that it has started, at once."""

    def lease(self, worker: int) -> Lease | None:
        """Return the process that a worker is; None if it is gone, or no process of its own."""

    def close(self) -> None:
        """End all workers, and free what they needed."""


def engine(name: str) -> Callable[[_Class], _Class]:
    """Register a class under a name for ``tune.engine``. Experimental.

        @engine("threads")
        class ThreadsEngine(Engine): ...

    The name exists in processes that import the module. On the command line give the class itself:
    ``--engine my_project.ThreadsEngine``.
    """

    def register(made: _Class) -> _Class:
        _NAMED[name] = made
        return made

    return register


def engine_class(name: str, note: Callable[[str], None] = lambda line: None) -> "type[Engine]":
    """Return the engine of a name, or of a path such as ``my_project.MyEngine``.

    Args:
        name: As in ``tune.engine``.
        note: Takes a line if the name is a former one.

    Raises:
        ConfigError: If there is none.
    """
    if name in _FORMER:
        note(f"tune.engine {name} is now called {_FORMER[name]}")
    name = _FORMER.get(name, name)
    if name not in _NAMED and not {".", ":"} & set(name):
        raise ConfigError(f"tune.engine: {unknown_name('engine', name, sorted(_NAMED))}")
    named = _NAMED.get(name, name)
    made = imported("tune.engine", named) if isinstance(named, str) else named
    if not (isinstance(made, type) and callable(getattr(made, "place", None))):
        raise ConfigError.of("tune.engine", name, "an engine, a class with place(...)")
    return made
