"""The health of a storage."""

from collections.abc import Iterator

from autolr.doctor.finding import Finding
from autolr.errors import StorageError
from autolr.storage_url import shown
from autolr.study import Health, health, locate


def database(url: str) -> Iterator[Finding]:
    """Yield how a storage is; nothing is created or changed.

    Args:
        url: Its URL.

    Raises:
        ConfigError: If it is no URL of a storage.
    """
    address = locate(url)
    try:
        found = health(url)
    except StorageError as error:
        yield Finding("reachable", str(error), "wrong")
        return
    if found is None and address.path is not None:
        yield Finding("reachable", f"{shown(url)} does not exist yet: autolr tune makes it")
        return
    if found is None:
        yield Finding("reachable", "yes, without tables yet: autolr tune makes them")
        return
    yield Finding("reachable", "yes")
    yield from _tables(found, file=address.path is not None)
    yield from _studies(found)


def _tables(found: Health, *, file: bool) -> Iterator[Finding]:
    if found.schema == found.newest:
        yield Finding("schema", f"{found.schema}, as the installed Optuna writes it")
    else:
        text = f"{found.schema}, and the installed Optuna writes {found.newest}"
        yield Finding("schema", f"{text}: optuna storage upgrade --storage URL", "wrong")
    if file and not found.damages:
        yield Finding("integrity", "SQLite finds no damage in the whole file")
    for damage in found.damages:
        yield Finding("integrity", damage, "wrong")
    if not found.writable:
        text = "the file or its folder may not be written to: studies can be read, not resumed"
        yield Finding("permissions", text, "wrong")
    if found.busy:
        yield Finding("writer", "another process has been writing for a second or longer", "note")


def _studies(found: Health) -> Iterator[Finding]:
    names = ", ".join(found.studies) if found.studies else "none yet"
    yield Finding("studies", names)
    for name, why in found.unreadable.items():
        yield Finding("studies", f"{name} cannot be read: {why}", "note")
    if not found.held:
        yield Finding("locks", "no study is in use")
    for name, process in found.held.items():
        yield Finding("locks", f"study {name} is in use by {process}", "note")
