"""Everything that is decided about a study before it is opened: its config, folder and lock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autolr import study
from autolr.candidate_space import owned
from autolr.config import Config, fingerprint, read_config
from autolr.config_checks import check
from autolr.disk import check_folder, disk_errors
from autolr.driver.devices import check_sharing
from autolr.driver.ending import unfinished, why_over
from autolr.driver.engines import Engine, engine_class
from autolr.driver.events import CheckStarted, Event, Noted
from autolr.driver.results_folder import ResultsFolder
from autolr.errors import ConfigError, unknown_name
from autolr.strict_yaml import Source
from autolr.study import Growth, Session, Summary
from autolr.users_modules import make_importable


@dataclass(frozen=True, slots=True)
class Claim:
    """A study that this process may work on.

    Attributes:
        config: The whole config, as its engine needs it.
        engine: What runs its workers.
        stored: The study as it is stored; None: it begins.
        owner: The study as its folder of results names it.
        session: What holds the lock, where that is a database's.
        fresh: Whether a stored study of this name is deleted first.
    """

    config: Config
    engine: type[Engine]
    stored: Summary | None
    owner: ResultsFolder
    session: Session | None = None
    fresh: bool = False

    @property
    def over(self) -> str | None:
        """Why the stored study is over before it has all its trials; None: it is not."""
        if self.stored is None or unfinished(self.stored.trials):
            return None
        return why_over(self.config, self.stored.trials)

    @property
    def complete(self) -> bool:
        """Whether the stored study has all its trials, or is over before."""
        if self.stored is None:
            return False
        return self.stored.finished >= self.config.tune.trials or self.over is not None


@contextmanager
def claimed(
    source: Source,
    settings: dict[str, Any],
    listener: Callable[[Event], None],
    *,
    folder: Path | None = None,
    fresh: bool,
    lock: bool,
) -> Iterator[Claim]:
    """Check config, engine, lock, fingerprint and folder, and hold the lock in the block.

    All that needs no torch is checked here, and nowhere else.

    Args:
        source: The config.
        settings: Of the section ``tune:``, instead of those in the config.
        listener: Called with what the user should know.
        folder: What the config's paths are relative to; see `read_config`.
        fresh: Whether a stored study of this name is ignored.
        lock: Whether the study is locked; a dry run does not.

    Raises:
        ConfigError: If a setting cannot work.
        StorageError: If the storage cannot be used, is in use, or holds another study; if the
            folder of results belongs to another study, or its disk is full.
    """
    read = read_config(source, settings, folder)
    check_sharing(read)
    expected = "null in a study, whose trials all begin at step 0; load weights in the model"
    check("ckpt_path", read.checkpoint, expected, read.checkpoint is None)
    notes = [] if read.seed_line is None else [read.seed_line]
    engine = engine_class(read.tune.engine, notes.append)
    config = engine.prepare(read, notes.append)
    for line in notes:
        listener(Noted(line))
    tune = config.tune
    held = study.locked(tune.storage, tune.study, tune.folder) if lock else nullcontext()
    with held as session, disk_errors(tune.folder):
        stored, growth = (None, None) if fresh else _stored(config)
        if growth is not None:
            config = replace(config, space=owned(growth.space))
            if growth.names:
                listener(Noted(f"the space grew: {', '.join(growth.names)}"))
        owner = ResultsFolder.of(tune, stored)
        owner.check(tune.folder)
        claim = Claim(config, engine, stored, owner, session, fresh)
        if not claim.complete or not lock:
            check_folder(tune.folder)
            _check_sampler(config)
            listener(CheckStarted())
            if lock and session is None:  # a file's lock does not reach other hosts
                study.check_unheld(tune.storage, tune.study)
        yield claim


def _stored(config: Config) -> tuple[Summary | None, Growth | None]:
    """Return the study as it is stored, if it was begun with this config, and how its space grew.

    Without the latter, the space is that of the config.
    """
    stored = study.peek(config.tune.storage, config.tune.study)
    if stored is None or not stored.fingerprint:
        return None, None
    _check_monitor(config, stored)
    growth = study.check_fingerprint(config.tune.study, stored.fingerprint, fingerprint(config))
    return stored, growth


def _check_monitor(config: Config, stored: Summary) -> None:
    """Refuse a monitor that no trial has logged: more likely misspelt than meant otherwise."""
    logged = sorted({name for one in stored.trials for name in one.attrs.get("metrics", ())})
    monitor = config.tune.monitor
    if logged and monitor not in (*logged, stored.fingerprint.get("monitor")):
        raise ConfigError(unknown_name("tune.monitor", monitor, logged))


def _check_sampler(config: Config) -> None:
    """Refuse a sampler that misses a package, or fails in the space of the config."""
    make_importable(config.folder)
    study.sampler(config.tune.sampler, config.seed)
    objectives = 1 if config.tune.cost is None else 2
    study.rehearse(config.tune.sampler, config.seed, config.space, objectives)
