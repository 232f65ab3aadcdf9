"""All sections of a diagnosis, in their order."""

from collections.abc import Iterator
from pathlib import Path

from autolr.config import Config, read_config
from autolr.doctor.database import database
from autolr.doctor.finding import Finding, Section
from autolr.doctor.installation import installation
from autolr.doctor.machine import devices, folder
from autolr.doctor.project import project
from autolr.errors import ConfigError
from autolr.storage_url import shown
from autolr.study import locate


def diagnose(config: str | None = None, storage: str | None = None) -> Iterator[Section]:
    """Yield sections as they are known: the installation, devices, folders, and what is named.

    Args:
        config: A LightningCLI config; its storage and folder of results are looked at too.
        storage: The URL of a database, instead of the config's.

    Raises:
        ConfigError: If ``storage`` is no URL of a database.
    """
    if storage is not None:
        locate(storage)  # before anything is said
    yield Section("installation", tuple(installation()))
    yield Section("devices", tuple(devices()))
    yield Section("folders", tuple(folder(Path.cwd(), "present", ours=False)))
    if config is None:
        if storage is not None:
            yield _database(storage)
        return
    title = f"config {config}"
    try:
        read = read_config(config)
    except ConfigError as error:
        yield Section(title, (Finding("refused", str(error), "wrong"),))
        if storage is not None:
            yield _database(storage)
        return
    yield _database(storage or read.tune.storage)
    yield Section(title, (*_folder(read), *project(read, Path(config), storage)))


def _database(url: str) -> Section:
    return Section(f"database {shown(url)}", tuple(database(url)))


def _folder(config: Config) -> Iterator[Finding]:
    return folder(config.tune.folder, "results", ours=True)
