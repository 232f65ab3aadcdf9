"""The storage's URL and the study's name, checked."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.predicates import STUDY_NAME
from autolr.storage_url import is_clear, shown

_NAME = re.compile(STUDY_NAME)
_UNCLEAR = (
    "a URL such as postgresql+psycopg://user:password@host/name, with @ : / ? = in a user's name "
    "or a password written as %40 %3A %2F %3F %3D"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A storage.

    Attributes:
        url: For SQLAlchemy. The path of an SQLite file is absolute, so that a later change of the
            working directory does not matter.
        path: The SQLite file; None if the storage is a server.
        shown: The user's URL without passwords, for messages; see `autolr.storage_url`.
        given: The user's URL; it may hold a password.
    """

    url: URL
    path: Path | None
    shown: str
    given: str = field(repr=False)

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a PostgreSQL server."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def place(self) -> str:
        """As ``shown``, but the same in every working directory."""
        return self.shown if self.path is None else self.url.render_as_string()


def locate(url: str) -> Address:
    """Return the storage that ``url`` names; nothing is opened.

    Raises:
        ConfigError: If it is no URL, or names a database in memory.
    """
    if "://" in url and not is_clear(url):
        raise ConfigError.of("storage", shown(url), _UNCLEAR)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        dialect = parsed.get_dialect()
    except ImportError:
        raise missing_driver(url) from None
    except (ArgumentError, ValueError):
        raise ConfigError.of("storage", shown(url), _expected(url)) from None
    if dialect.is_async or dialect.driver == "pysqlcipher":
        expected = f"a URL of a driver that can be used here, not {dialect.driver}"
        raise ConfigError.of("storage", shown(url), expected)
    if backend != "sqlite":
        return Address(parsed, None, shown(url), url)
    if parsed.host:  # sqlite://runs.db
        raise ConfigError.of("storage", shown(url), _expected(url.split("://", 1)[1]))
    return _file(url, parsed)


def _file(url: str, parsed: URL) -> Address:
    if "?" in url:
        expected = (
            "sqlite:///FILE without options (a file that may not be written is read as it is)"
        )
        raise ConfigError.of("storage", shown(url), expected)
    database = parsed.database or ":memory:"
    if database == ":memory:" or database.startswith("file:"):
        raise ConfigError.of("storage", shown(url), "a database in a file, as sqlite:///autolr.db")
    path = Path(database).absolute()
    return Address(parsed.set(database=str(path)), path, shown(url), url)


def check_name(name: str) -> str:
    """Return ``name`` if a study may have it.

    Raises:
        ConfigError: If it is not 1 to 128 letters, digits, ``.``, ``_`` and ``-``, the first one a
            letter or digit: names of studies become parts of file names.
    """
    if not _NAME.fullmatch(name):
        expected = "1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit"
        raise ConfigError.of("study", name, expected)
    return name


def missing_driver(url: str) -> ConfigError:
    """Return the error for a server whose Python package is not installed."""
    return ConfigError.of(
        "storage",
        shown(url),
        f"a URL whose driver is installed (PostgreSQL: {install_command('psycopg')} "
        "and postgresql+psycopg://...)",
    )


def _expected(given: str) -> str:
    if "://" in given:
        return "a URL such as sqlite:///autolr.db or postgresql+psycopg://user@host/name"
    return f"a URL such as sqlite:///{shown(given) if given else 'autolr.db'}"
