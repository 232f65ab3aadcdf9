"""Storage URLs for people: a password is never shown, wherever in the URL it stands.

>>> shown("postgresql+psycopg://me:pass@host/runs?password=pass&host=other")
'postgresql+psycopg://me:***@host/runs?host=other&***'
>>> shown("postgresql://me:pa@ss@host/runs")
'postgresql://***'
"""

import re
from urllib.parse import parse_qsl, unquote

_PARTS = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<place>[^?]*)(?:\?(?P<query>.*))?"  # as SQLAlchemy reads it
)
_PLAIN = re.compile(r"[\w .,:/\\%+~\[\]-]*")  # how users, hosts and databases are called
_PUBLIC = ("host", "port", "user", "dbname", "service", "mode", "uri")  # options
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, half characters
_LARGEST_PORT = 65535
_OTHER_URL = re.compile(r"\b(?!sqlite:///[^?]*$)([\w+]+)://.*", re.DOTALL)
_HIDDEN = "***"


def shown(url: object) -> str:
    """Return a storage's URL without what may be a password.

    Of a URL that can be read in two ways, or in none, nothing is shown after its scheme: what is
    taken for a host may be the end of a password. Of other text only what looks like a path.
    """
    if not isinstance(url, str):
        return str(url) if url is None or isinstance(url, int | float) else type(url).__name__
    parts = _PARTS.fullmatch(url)
    if parts is None or not is_clear(url):
        scheme = re.match(r"[\w+]+://", url)
        if scheme is not None:
            return f"{scheme[0]}{_HIDDEN}"
        return url if _PLAIN.fullmatch(url) and ":" not in url else _HIDDEN
    user, password = parts["user"], parts["password"]
    login = "" if user is None else f"{user}{'' if password is None else f':{_HIDDEN}'}@"
    options = _options(parts)
    public = [f"{key}={value}" for key, value in options if _is_public(key, value)]
    query = "&".join([*public, _HIDDEN] if len(public) < len(options) else public)
    return f"{parts['scheme']}://{login}{parts['place']}{'?' if query else ''}{query}"


def is_clear(url: str) -> bool:
    """Return whether a URL can be read in one way only, as to what in it is a password."""
    parts = _PARTS.fullmatch(url)
    if parts is None or _UNREADABLE.search(url):
        return False
    user, password, place = parts["user"], parts["password"] or "", parts["place"]
    if parts["scheme"].partition("+")[0] == "sqlite":
        return user is None and re.match(r"[\w.-]*(/|$)", place) is not None
    if not (_PLAIN.fullmatch(user or "") and _PLAIN.fullmatch(place) and _has_port(place)):
        return False
    return re.search(r"\?.*=", password) is None  # else an option may follow, which has the @


def scrubbed(text: str, url: str) -> str:
    """Return ``text`` without what is hidden of the URL of a storage."""
    for secret in sorted(secrets_of(url), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def secrets_of(url: str) -> set[str]:
    """Return what of a URL is hidden, as it is written and as it is meant; empty if nothing is."""
    parts = _PARTS.fullmatch(url)
    if parts is None or not is_clear(url):
        return {url.partition("://")[2] or url}
    password = parts["password"] or ""
    hidden = {value for key, value in _options(parts) if not _is_public(key, value)}
    return {password, unquote(password), *hidden} - {""}


def without_urls(text: str) -> str:
    """Return text without what follows the scheme of a URL that may hold a password.

    >>> without_urls("got 'mysql://me:pass@host', not 'sqlite:///runs.db'")
    "got 'mysql://***"
    """
    return _OTHER_URL.sub(rf"\1://{_HIDDEN}", text)


def _options(parts: re.Match[str]) -> list[tuple[str, str]]:
    return parse_qsl(parts["query"] or "", keep_blank_values=True)


def _is_public(key: str, value: str) -> bool:
    return key in _PUBLIC and _PLAIN.fullmatch(value) is not None


def _has_port(place: str) -> bool:
    """Return whether what stands for a port can be one; a password may, if its @ is missing."""
    port = re.match(r"(?:\[[^/]*\]|[^/:]*):([^/]*)", place)
    if port is None:
        return True
    return re.fullmatch(r"\d{0,5}", port[1]) is not None and int(port[1] or 0) <= _LARGEST_PORT
