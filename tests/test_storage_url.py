"""A password in a storage's URL is never shown, wherever in the URL it stands."""

import pytest

from autolr.errors import ConfigError
from autolr.quoting import without_urls
from autolr.storage_url import scrubbed, shown
from autolr.study.address import locate
from autolr.tune_config import TuneConfig

CLEAR = [
    ("postgresql+psycopg://me:Pa55@host/runs", "postgresql+psycopg://me:***@host/runs"),
    ("postgresql://me:Pa55/w@host:5432/runs", "postgresql://me:***@host:5432/runs"),
    ("postgresql://me:%50a55@host/runs", "postgresql://me:***@host/runs"),
    ("postgresql://me:Pa55?w@host/runs", "postgresql://me:***@host/runs"),
    ("postgresql://:Pa55@host/runs", "postgresql://:***@host/runs"),
    ("postgresql://me@host/runs?password=Pa55", "postgresql://me@host/runs?***"),
    ("postgresql://me@host/runs?password=Pa55@w", "postgresql://me@host/runs?***"),
    ("postgresql://host/runs?password=Pa55@w", "postgresql://host/runs?***"),
    ("postgresql:///runs?host=h&user=me&password=Pa55", "postgresql:///runs?host=h&user=me&***"),
    (
        "postgresql://h/runs?sslmode=require&sslpassword=Pa55",
        "postgresql://h/runs?***",
    ),
    ("postgresql://h/runs?passfile=/home/Pa55", "postgresql://h/runs?***"),
    ("postgresql://h/runs?options=-cmy.key%3DPa55", "postgresql://h/runs?***"),
    ("postgresql://h/runs?host=password%3DPa55", "postgresql://h/runs?***"),
    ("postgresql://me:Pa55@[::1]:5432/runs", "postgresql://me:***@[::1]:5432/runs"),
    ("mysql+pymysql://me:Pa55@host/runs", "mysql+pymysql://me:***@host/runs"),
    ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3DPa55", "mssql+pyodbc:///?***"),
    ("sqlite:///runs.db?key=Pa55", "sqlite:///runs.db?***"),
]
UNCLEAR = [  # what is taken for a host, a port or an option may be the end of a password
    "postgresql://me:Pa55@Pa55@host/runs",
    "postgresql://me:Pa55?w@Pa55/y@host/runs",
    "postgresql://me:x/Pa55@Pa55@host/runs",
    "postgresql://me/x:Pa55@host/runs",
    "postgresql://?host=h&user=me&password=Pa55@Pa55",
    "postgresql://host:5432/runs?password=x@Pa55",
    "postgresql://me:Pa55/runs",
    "postgresql://me:99999955/runs",
    "postgresql:///password=Pa55",
    "postgresql://me:Pa55\n@host/runs",
    "postgresql://me:Pa55\ud800@host/runs",
    "sqlite://:Pa55@/runs.db",
    "sqlite+pysqlcipher://:Pa55@/runs.db",
    "sqlite://host:Pa55/runs.db",
]
NO_URLS = ["me:Pa55@host", "host=h password=Pa55", "postgresql:me:Pa55@host", "sqlite:/Pa55"]


@pytest.mark.parametrize(("url", "expected"), CLEAR)
def test_a_url_is_shown_without_what_may_be_a_password(url: str, expected: str) -> None:
    assert shown(url) == expected
    assert shown(shown(url)) == expected


@pytest.mark.parametrize("url", UNCLEAR)
def test_of_a_url_that_can_be_read_in_two_ways_only_the_scheme_is_shown(url: str) -> None:
    assert shown(url) == f"{url.partition('://')[0]}://***"
    with pytest.raises(ConfigError, match=r"%40|sqlite") as caught:
        locate(url)
    assert "Pa55" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [*NO_URLS, {"url": "Pa55"}, ["Pa55"], "", "\0"])
def test_what_is_no_url_is_refused_and_not_repeated(text: object) -> None:
    with pytest.raises(ConfigError, match=r"tune\.storage must be a URL such as sqlite") as caught:
        TuneConfig(storage=text)  # type: ignore[arg-type]
    assert "Pa55" not in str(caught.value)


@pytest.mark.parametrize("path", ["runs.db", "a b/100%/r@home.db", "a:b@c.db", "große Läufe.db"])
def test_the_path_of_a_file_is_shown_as_it_is(path: str) -> None:
    assert shown(f"sqlite:///{path}") == f"sqlite:///{path}"
    assert locate(f"sqlite:///{path}").shown == f"sqlite:///{path}"


@pytest.mark.parametrize("url", [url for url, _ in CLEAR])
def test_a_config_is_printed_without_its_storage(url: str) -> None:
    assert "Pa55" not in repr(TuneConfig(storage=url))


def test_a_message_of_a_driver_is_cleared_of_the_password() -> None:
    url = "postgresql://me:Pa%355@host/runs?options=Opti0n"
    assert scrubbed("no Pa%355, no Pa55, no Opti0n for me", url) == "no ***, no ***, no *** for me"


def test_a_value_in_a_message_ends_before_what_may_be_a_password() -> None:
    with pytest.raises(ConfigError) as caught:
        raise ConfigError.of("tune", ["storage: postgresql://me:Pa55@host/runs"], "a mapping")
    assert "Pa55" not in str(caught.value)
    assert without_urls("see sqlite:///runs.db") == "see sqlite:///runs.db"


@pytest.mark.parametrize(
    "url",
    ["sqlite:///runs.db?mode=ro", "sqlite:///runs.db?x", "sqlite:///file:r.db?mode=ro&uri=true",
     "sqlite+aiosqlite:///runs.db", "postgresql+asyncpg://host/runs", "sqlite:///a\0b", "sqlite:///a\ud800b"],
)  # fmt: skip
def test_a_url_that_would_be_used_otherwise_than_it_says_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="storage must be") as caught:
        locate(url)
    assert "\n" not in str(caught.value)
