"""Opening a study, having its trials trained, and writing its results."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from autolr import report, study
from autolr.config import fingerprint
from autolr.config_checks import check
from autolr.disk import check_folder
from autolr.driver.beginning import Beginning
from autolr.driver.checking import check_anywhere, check_here, suited
from autolr.driver.claim import Claim, claimed
from autolr.driver.completed import complete, write_files
from autolr.driver.controller import TrialController
from autolr.driver.devices import per_trial
from autolr.driver.ending import unfinished
from autolr.driver.engines import Engine
from autolr.driver.estimate import estimated
from autolr.driver.events import (
    Event,
    StudyEstimated,
    StudyReady,
    TuneResult,
    only_warn,
    with_values,
)
from autolr.driver.inline import run_inline
from autolr.driver.messages import Checked
from autolr.driver.pace import made_before
from autolr.driver.pool import Pool
from autolr.driver.signals import Interrupted, Shutdown, signals
from autolr.driver.source import origin_of
from autolr.objective import check_importable
from autolr.pruner import Pruner
from autolr.stop import Stop
from autolr.study import Heartbeat, Hyperband, Lease, Study

if TYPE_CHECKING:
    from autolr.objective import Trial

_Train: TypeAlias = Callable[[TrialController, Heartbeat, float], None]


def tune(  # noqa: PLR0913 - the settings of the section, which users look up here
    config: "str | Path | Mapping[str, Any] | Callable[[Trial], Any]",
    space: str | Path | Mapping[str, Any] | None = None,
    *,
    max_steps: int | None = None,
    seed: int | None = None,
    monitor: str | None = None,
    mode: str | None = None,
    trials: int | None = None,
    timeout: float | None = None,
    workers: int | str | None = None,
    trials_per_gpu: int | None = None,
    trial_timeout: float | None = None,
    engine: str | None = None,
    listen: str | None = None,
    objective: Sequence[str] | None = None,
    pruner: Pruner | str | Mapping[str, Any] | None = None,
    online: bool | None = None,
    prior: str | Path | None = None,
    sampler: str | Mapping[str, Any] | None = None,
    start: Sequence[Mapping[str, Any]] | None = None,
    stop: Stop | Mapping[str, Any] | None = None,
    seeds: int | None = None,
    keep: int | None = None,
    storage: str | None = None,
    study: str | None = None,
    out: str | Path | None = None,
    safe_globals: Sequence[str] | None = None,
    fresh: bool = False,
    dry_run: bool = False,
    listener: Callable[[Event], None] = only_warn,
) -> TuneResult:
    """Run a study to its end, or resume it.

    A study that is complete already is recognized without torch. SIGINT and SIGTERM end it
    early; what was finished stays, and the trial that was cut is run again the next time, with
    the same parameters.

    Settings of the section ``tune:`` can be given here as well: they replace those of the config,
    and None keeps those. `autolr.tune_config.TuneConfig` says more of each.

    Args:
        config: A LightningCLI config with a section ``tune:``, a file or a mapping; or a function
            that takes a `Trial` and returns its score. Workers import a function by its path, so
            it has to be at the top of a module; any other is called in this process only.
        space: A name of the catalogue, a path to a .yaml file, or a mapping. For a function, plain
            names that no profile takes are settings of its own: ``trial.settings``.
        max_steps: Steps of a whole run of the function, in its own unit; None: 1, and no rungs.
        seed: Of a function's study: the sampler has it, and ``trial.seed``; None: 0.
        monitor: The logged metric that is optimized; for a function, a name for its score.
        mode: "min" or "max"; inferred from the monitor's name where that implies it.
        trials: Finished trials that the study shall have in total, over all resumes.
        timeout: Seconds after which no trial starts.
        workers: Trials in parallel; "auto": ``trials_per_gpu`` for each visible GPU, at least one.
        trials_per_gpu: Trials that share a GPU at most.
        trial_timeout: Seconds that a worker may train one job.
        engine: "local", "ray", "remote" or the path of a class.
        listen: Host name or address at which workers reach this host.
        objective: ``[monitor, "cost"]`` or ``[monitor, "seconds"]``: minimize that too.
        pruner: A `Pruner`, its name, or a mapping with its fields.
        online: Whether the run of the first trial searches its own peak.
        prior: An earlier study or a ``result.json``, around whose peaks the study begins.
        sampler: What proposes candidates: a name, or a class of Optuna's or your own.
        start: Points of the space to try first, whole or in part.
        seeds: Runs of each trial, with a seed each; their mean is judged.
        stop: A `Stop` or its fields: when a study ends before it has all its trials.
        keep: Trials whose weights stay, the best ones.
        storage: The database's URL.
        study: The study's name.
        out: The folder for results.
        safe_globals: Classes, as ``module.Class``, that checkpoints of trials may contain.
        fresh: Delete the study of this name first.
        dry_run: Check everything up to the first training step, say what the study will take
            (`StudyEstimated`), and stop there.
        listener: Called with each event as it happens. The default one only warns, also of trials
            that fail;
            `autolr.ConsoleProgress` prints what the command prints.

    Raises:
        ConfigError: If a setting cannot work; before the first training step.
        StorageError: If the storage cannot be used, is in use, or holds another study; if the
            folder of results belongs to another study, or its disk is full.
        UserCodeError: If the model or the data raise before training, or in three trials in a row.
    """
    for name, value in (("fresh", fresh), ("dry_run", dry_run)):
        check(name, value, "True or False", isinstance(value, bool))
    settings = {
        "space": space,
        "monitor": monitor,
        "mode": mode,
        "trials": trials,
        "timeout": timeout,
        "workers": workers,
        "trials_per_gpu": trials_per_gpu,
        "trial_timeout": trial_timeout,
        "engine": engine,
        "listen": listen,
        "objective": objective,
        "pruner": pruner,
        "online": online,
        "prior": prior,
        "sampler": sampler,
        "start": start,
        "stop": stop,
        "seeds": seeds,
        "keep": keep,
        "storage": storage,
        "study": study,
        "out": out,
        "safe_globals": safe_globals,
    }
    with (
        origin_of(config, max_steps, seed) as (source, folder),
        claimed(source, settings, listener, folder=folder, fresh=fresh, lock=not dry_run) as claim,
    ):
        if dry_run:
            return _dry_run(claim, listener)
        if claim.complete and claim.stored is not None:
            return complete(claim, claim.stored, listener)
        with signals() as shutdown:
            try:
                return _Driver(claim, listener, shutdown).run()
            except Interrupted as interrupt:  # before the first trial
                stored = () if claim.stored is None else claim.stored.trials
                finished = with_values(stored, claim.config.space)
                return TuneResult(claim.config, finished, (), interrupted=interrupt.signum)


def _dry_run(claim: Claim, listener: Callable[[Event], None]) -> TuneResult:
    """Check all that a run checks before its first step, and open nothing."""
    config = claim.config
    if config.tune.workers != 1:
        check_importable(config)
    checked = check_anywhere(config, listener)
    checked = suited(config, checked)
    beginning = Beginning.of(config, checked, claim.stored)
    hyperband = beginning.hyperband(config.tune.pruner, checked.run_steps)
    listener(StudyReady(config, checked.run_steps, hyperband, 0, (), checked.warnings))
    listener(StudyEstimated(estimated(config, checked, hyperband, online=beginning.online)))
    return TuneResult(config, (), ())


class _Driver:
    """Works on one study, whose lock it holds.

    Args:
        claim: The study, checked.
        listener: Called with each event.
        shutdown: Whether a signal came.
    """

    def __init__(self, claim: Claim, listener: Callable[[Event], None], shutdown: Shutdown) -> None:
        self._claim = claim
        self._config = claim.config
        self._folder = claim.config.tune.folder
        self._listener = listener
        self._shutdown = shutdown

    def run(self) -> TuneResult:
        """Train in this process or in workers, as the engine says."""
        engine = self._claim.engine.place(self._config)
        if engine is not None:
            check_importable(self._config)
            return self._run_pool(engine)
        with self._shutdown.within(0):
            checked = check_here(self._config, self._folder)
        return self._run(
            checked, lambda controller, heartbeat, end: run_inline(controller, self._shutdown, end)
        )

    def _run_pool(self, engine: Engine) -> TuneResult:
        reuse = per_trial(self._config.fit.get("trainer")) == 1
        workers = engine.workers
        pool = Pool(self._config, engine, workers, self._shutdown, self._listener, reuse=reuse)
        try:
            with engine.announced(self._config, self._claim.session, self._listener):
                pool.start()
                checked = pool.check()
            return self._run(
                checked,
                lambda controller, heartbeat, end: pool.run(controller, end, heartbeat.renew),
            )
        finally:
            engine.close()

    def _run(self, checked: Checked, train: _Train) -> TuneResult:
        checked = suited(self._config, checked)
        run_steps = checked.run_steps
        beginning = Beginning.of(self._config, checked, self._claim.stored)
        hyperband = beginning.hyperband(self._config.tune.pruner, run_steps)
        handle = self._open(hyperband)
        try:
            handle.check_fingerprint(fingerprint(self._config))
            beginning.apply(handle)
            handle.name_values(*filter(None, (self._config.tune.monitor, self._config.tune.cost)))
            self._claim.owner.claim(self._folder)
            handle.set_attr(study.ID, self._claim.owner.id)
            handle.set_attr(study.FOLDER, str(self._folder.absolute()))
            for record in handle.trials:  # workers of a dead driver end by themselves, but when?
                if record.state == "RUNNING" and (worker := record.attrs.get("worker")):
                    Lease.from_dict(worker).end()
            resumed = handle.recover()
            done = made_before(handle.trials, run_steps)
            ready = (run_steps, hyperband, handle.finished, resumed, checked.warnings, done)
            self._listener(StudyReady(self._config, *ready))
            controller = TrialController(
                self._config,
                handle,
                hyperband,
                run_steps,
                self._listener,
                self._claim.owner.id,
                pauses=checked.pauses,
                online=beginning.online,
                prior=beginning.prior,
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
            fresh=self._claim.fresh,
            session=self._claim.session,
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
            write_files(self._folder, files)
        heartbeat.check()
        over = None if unfinished(handle.trials) else controller.over
        trained = len(controller.trained)
        trials, best = (with_values(some, self._config.space) for some in (handle.trials, best))
        result = TuneResult(self._config, trials, best, tuple(files), trained, None, over)
        return result if result.complete else replace(result, interrupted=self._shutdown.signum)
