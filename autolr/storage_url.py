"""Storage URLs in messages: no password is shown, wherever in the URL it is.

>>> shown("postgresql+psycopg://me:pass@host/runs?password=pass&host=other")
'postgresql+psycopg://me:***@host/runs?host=other&***'
>>> shown("postgresql://me:pa@ss@host/runs")
'postgresql://***'
"""

import re
from urllib.parse import parse_qsl, unquote

from autolr.quoting import HIDDEN

_PARTS = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<place>[^?]*)(?:\?(?P<query>.*))?"  # as SQLAlchemy reads it
)
_PLAIN = re.compile(r"[\w .,:/\\%+~\[\]-]*")  # characters of users, hosts and databases
_PUBLIC = ("host", "port", "user", "dbname", "service", "mode", "uri")  # options without secrets
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, lone surrogates
_LARGEST_PORT = 65535  # of TCP, which has 16 bits for it


def shown(url: object) -> str:
    """Return a storage's URL without anything that may be a password.

    Of an ambiguous or malformed URL only the scheme is shown: its host may be the end of a
    password. Of text that is no URL only a plain path is shown.
    """
    if not isinstance(url, str):
        return str(url) if url is None or isinstance(url, int | float) else type(url).__name__
    parts = _PARTS.fullmatch(url)
    if parts is None or not is_clear(url):
        scheme = re.match(r"[\w+]+://", url)
        if scheme is not None:
            return f"{scheme[0]}{HIDDEN}"
        return url if _PLAIN.fullmatch(url) and ":" not in url else HIDDEN
    user, password = parts["user"], parts["password"]
    login = "" if user is None else f"{user}{'' if password is None else f':{HIDDEN}'}@"
    options = _options(parts)
    public = [f"{key}={value}" for key, value in options if _is_public(key, value)]
    query = "&".join([*public, HIDDEN] if len(public) < len(options) else public)
    return f"{parts['scheme']}://{login}{parts['place']}{'?' if query else ''}{query}"


def is_clear(url: str) -> bool:
    """Return whether it is unambiguous which part of a URL is the password."""
    parts = _PARTS.fullmatch(url)
    if parts is None or _UNREADABLE.search(url):
        return False
    user, password, place = parts["user"], parts["password"] or "", parts["place"]
    if parts["scheme"].partition("+")[0] == "sqlite":
        return user is None and re.match(r"[\w.-]*(/|$)", place) is not None
    if not (_PLAIN.fullmatch(user or "") and _PLAIN.fullmatch(place) and _has_port(place)):
        return False
    return re.search(r"\?.*=", password) is None  # else the @ may belong to an option


def scrubbed(text: str, url: str) -> str:
    """Return ``text`` without the secrets of a URL.

    Args:
        text: A message that may quote the URL.
        url: The URL of a storage.
    """
    for secret in sorted(secrets_of(url), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(url: str) -> set[str]:
    """Return the secrets in a URL, both as written and percent-decoded; empty if it has none."""
    parts = _PARTS.fullmatch(url)
    if parts is None or not is_clear(url):
        return {url.partition("://")[2] or url}
    password = parts["password"] or ""
    hidden = {value for key, value in _options(parts) if not _is_public(key, value)}
    return {password, unquote(password), *hidden} - {""}


def _options(parts: re.Match[str]) -> list[tuple[str, str]]:
    return parse_qsl(parts["query"] or "", keep_blank_values=True)


def _is_public(key: str, value: str) -> bool:
    return key in _PUBLIC and _PLAIN.fullmatch(value) is not None


def _has_port(place: str) -> bool:
    """Return whether the port is valid; a password whose @ is missing would stand there."""
    port = re.match(r"(?:\[[^/]*\]|[^/:]*):([^/]*)", place)
    if port is None:
        return True
    return re.fullmatch(r"\d{0,5}", port[1]) is not None and int(port[1] or 0) <= _LARGEST_PORT
