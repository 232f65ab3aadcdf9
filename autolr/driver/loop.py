"""Opening a study, having its trials trained, and writing down what came of it."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from autolr import report, study
from autolr.atomic import has_text, write_atomically
from autolr.config import Config, fingerprint, read_config
from autolr.disk import check_folder, disk_errors
from autolr.driver.controller import TrialController
from autolr.driver.devices import are_named, per_trial, shared_out, visible
from autolr.driver.engines import engine_of
from autolr.driver.events import CheckStarted, Event, Noted, StudyReady, TuneResult, WorkersAwaited
from autolr.driver.inline import run_inline
from autolr.driver.local import LocalEngine
from autolr.driver.messages import Checked, with_traceback
from autolr.driver.pool import Pool
from autolr.driver.results_folder import ResultsFolder
from autolr.driver.signals import Interrupted, Shutdown, signals
from autolr.driver.trust import check_shared
from autolr.errors import UserCodeError
from autolr.study import Heartbeat, Hyperband, Lease, Session, Study

_Train: TypeAlias = Callable[[TrialController, Heartbeat, float], None]


def _only_warn(event: Event) -> None:
    """Listen in place of a user who does not."""
    for line in event.warnings if isinstance(event, StudyReady) else ():
        warnings.warn(line, stacklevel=2)


def tune(
    config: str | Path | Mapping[str, Any],
    *,
    fresh: bool = False,
    dry_run: bool = False,
    listener: Callable[[Event], None] = _only_warn,
    **settings: object,
) -> TuneResult:
    """Run a study to its end, or go on with it.

    A study that is complete already is recognized without torch. SIGINT and SIGTERM end it
    early; what was finished stays, and the trial that was cut is run again the next time, with
    the same parameters.

    Args:
        config: A LightningCLI config with a section ``tune:``; a file or a mapping.
        fresh: Forget a study of this name first.
        dry_run: Check everything up to the first training step, and stop there.
        listener: Called with each event as it happens. The default one only warns.
        settings: Of the section ``tune:``, instead of those in the config; None keeps those.

    Raises:
        ConfigError: If a setting cannot work; before the first training step.
        StorageError: If the storage cannot be used, is in use, or holds another study; if the
            folder of results belongs to another study, or its disk is full.
        UserCodeError: If the model or the data raise before training, or in three trials in a row.
    """
    read = read_config(config)
    read = replace(read, tune=read.tune.override(**settings))
    if read.tune.engine == "open":  # its workers may stand in another folder
        read = replace(read, tune=read.tune.override(out=read.tune.folder.absolute()))
    if dry_run:
        return _dry_run(read, listener, fresh=fresh)
    tune = read.tune
    with study.locked(tune.storage, tune.study, tune.folder) as session, disk_errors(tune.folder):
        stored = None if fresh else _stored(read)
        owner = ResultsFolder.of(tune, stored)
        owner.check(tune.folder)
        if stored is not None and stored.finished >= tune.trials:
            return _complete(read, stored)
        _check_setting(read, listener)
        devices = _devices(read)
        if session is None:  # the lock does not reach other hosts
            study.check_unheld(tune.storage, tune.study)
        with signals() as stop:
            driver = _Driver(read, listener, stop, owner, fresh=fresh, session=session)
            try:
                return driver.run_inline() if devices is None else driver.run_pool(devices)
            except Interrupted as interrupt:  # before the first trial
                trials = () if stored is None else stored.trials
                return TuneResult(read, trials, (), interrupted=interrupt.signum)


def _stored(config: Config) -> study.Summary | None:
    """Return the study as it is stored, if it was begun; if so, with this config."""
    stored = study.peek(config.tune.storage, config.tune.study)
    if stored is None or not stored.fingerprint:
        return None
    study.check_fingerprint(config.tune.study, stored.fingerprint, fingerprint(config))
    return stored


def _check_setting(config: Config, listener: Callable[[Event], None]) -> None:
    """Check what can be checked in an instant, and say that the rest is next."""
    check_folder(config.tune.folder)
    if config.tune.engine == "open" and (line := check_shared(config.tune.folder)) is not None:
        listener(Noted(line))
    study.sampler(config.tune.sampler, config.seed)  # what it needs is installed
    listener(CheckStarted())


def _complete(config: Config, stored: study.Summary) -> TuneResult:
    """Return a study that has all its trials; files that were lost or are old are written again."""
    best = stored.best(len(stored.trials))
    leader = study.leader(stored.trials, stored.direction)
    files = report.artefacts(config, config.tune.folder, stored.trials, leader)
    stale = tuple(file for file, text in files.items() if not has_text(file, text))
    if stale:
        check_folder(config.tune.folder)
        if study.ID in stored.attrs:
            ResultsFolder.of(config.tune, stored).claim(config.tune.folder)
        _write(config.tune.folder, {file: files[file] for file in stale})
    return TuneResult(config, stored.trials, best, stale)


def _write(folder: Path, files: Mapping[Path, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        write_atomically(file, text)


def _check(config: Config, folder: Path) -> Checked:
    from autolr import objective  # here: torch and lightning take seconds to import

    try:
        return Checked(*objective.check_run(config, folder))
    except UserCodeError as error:
        raise with_traceback(error, folder / "error.txt") from error


def _dry_run(config: Config, listener: Callable[[Event], None], *, fresh: bool) -> TuneResult:
    """Check all there is to check, and lock nothing."""
    stored = None if fresh else _stored(config)
    ResultsFolder.of(config.tune, stored).check(config.tune.folder)
    _check_setting(config, listener)
    checked = _checked(config, listener)
    hyperband = _hyperband(config, checked.run_steps)
    listener(StudyReady(config, checked.run_steps, hyperband, 0, (), checked.warnings))
    return TuneResult(config, (), ())


def _checked(config: Config, listener: Callable[[Event], None]) -> Checked:
    """Check in this process; a run of several ranks in another, for Lightning starts it again."""
    ranks = per_trial(config.fit.get("trainer"))
    if ranks == 1:
        return _check(config, config.tune.folder)
    engine = LocalEngine(shared_out(1, ranks if visible() else 1), config.tune.folder)
    pool = Pool(config, engine, 1, Shutdown(), listener)
    try:
        pool.start()
        return pool.check()
    finally:
        engine.close()


def _devices(config: Config) -> list[str | None] | None:
    """Return what each worker gets; None where one trial at a time is trained in this process."""
    tune, ranks = config.tune, per_trial(config.fit.get("trainer"))
    if tune.engine != "local":
        return []  # known to the engine
    alone = tune.workers == 1 and ranks == 1 and tune.trial_timeout is None
    if alone and not are_named() and len(visible()) <= 1 and tune.storage.startswith("sqlite"):
        return None  # (others cannot be told from within a step that this process is there)
    return shared_out(tune.workers, ranks if visible() else 1)


def _hyperband(config: Config, run_steps: int) -> Hyperband | None:
    pruner = config.tune.pruner
    if pruner.name == "none":
        return None
    least = pruner.min_steps or max(1, run_steps // pruner.eta**2)  # three brackets
    return Hyperband(min(least, run_steps), run_steps, pruner.eta)


class _Driver:
    """Works on one study, whose lock it holds."""

    def __init__(
        self,
        config: Config,
        listener: Callable[[Event], None],
        stop: Shutdown,
        owner: ResultsFolder,
        *,
        fresh: bool,
        session: Session | None,
    ) -> None:
        self._config = config
        self._folder = config.tune.folder
        self._listener = listener
        self._stop = stop
        self._owner = owner
        self._fresh = fresh
        self._session = session

    def run_inline(self) -> TuneResult:
        """Train in this process."""
        with self._stop.within(0):
            checked = _check(self._config, self._folder)
        return self._run(
            checked, lambda controller, heartbeat, end: run_inline(controller, self._stop, end)
        )

    def run_pool(self, devices: Sequence[str | None]) -> TuneResult:
        """Train in workers, on this machine in one for each of ``devices``."""
        engine, workers = engine_of(self._config, devices)
        reuse = per_trial(self._config.fit.get("trainer")) == 1
        pool = Pool(self._config, engine, workers, self._stop, self._listener, reuse=reuse)
        try:
            with self._announced():
                if self._config.tune.engine == "open":
                    self._listener(WorkersAwaited(self._folder))
                pool.start()
                checked = pool.check()
            return self._run(
                checked,
                lambda controller, heartbeat, end: pool.run(controller, end, heartbeat.renew),
            )
        finally:
            engine.close()

    def _announced(self) -> AbstractContextManager[None]:
        """Have workers find the study that a worker checks first, before it is opened."""
        tune = self._config.tune
        if tune.engine != "open":
            return nullcontext()
        return study.announced(
            tune.storage,
            tune.study,
            self._folder,
            direction=tune.direction,
            cost=tune.cost,
            session=self._session,
        )

    def _run(self, checked: Checked, train: _Train) -> TuneResult:
        run_steps = checked.run_steps
        hyperband = _hyperband(self._config, run_steps)
        handle = self._open(hyperband)
        try:
            handle.check_fingerprint(fingerprint(self._config))
            handle.name_values(*filter(None, (self._config.tune.monitor, self._config.tune.cost)))
            self._owner.claim(self._folder)
            handle.set_attr(study.ID, self._owner.id)
            handle.set_attr(study.FOLDER, str(self._folder.absolute()))
            for record in handle.trials:  # workers of a dead driver end by themselves, but when?
                if record.state == "RUNNING" and (worker := record.attrs.get("worker")):
                    Lease.from_dict(worker).end()
            resumed = handle.recover()
            ready = (run_steps, hyperband, handle.finished, resumed, checked.warnings)
            self._listener(StudyReady(self._config, *ready))
            controller = TrialController(
                self._config, handle, hyperband, run_steps, self._listener, self._owner.id
            )
            return self._train(handle, controller, train)
        finally:
            handle.close()

    def _open(self, hyperband: Hyperband | None) -> Study:
        tune = self._config.tune
        return study.open_study(
            tune.storage,
            tune.study,
            direction=tune.direction,
            sampler=tune.sampler,
            seed=self._config.seed,
            hyperband=hyperband,
            cost=tune.cost,
            fresh=self._fresh,
            session=self._session,
        )

    def _train(self, handle: Study, controller: TrialController, train: _Train) -> TuneResult:
        heartbeat = Heartbeat(handle)
        heartbeat.renew()
        try:
            train(controller, heartbeat, time.monotonic() + (self._config.tune.timeout or math.inf))
        finally:
            handle.recover()
            heartbeat.end()
            best = handle.best(len(handle.trials))
            leader = study.leader(handle.trials, self._config.tune.direction)
            files = report.artefacts(self._config, self._folder, handle.trials, leader)
            check_folder(self._folder)
            _write(self._folder, files)
        heartbeat.check()
        signum = None if handle.finished >= self._config.tune.trials else self._stop.signum
        trained = len(controller.trained)
        return TuneResult(self._config, handle.trials, best, tuple(files), trained, signum)
