"""Ask, train, judge, tell."""

import math
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr import report, study
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config, fingerprint, read_config
from autolr.driver.events import (
    CheckStarted,
    Event,
    RungReached,
    StudyReady,
    TrialEnded,
    TrialStarted,
    TuneResult,
)
from autolr.driver.interrupts import Interrupted, Stop, signals
from autolr.errors import ConfigError, UserCodeError
from autolr.study import Hyperband, Study, TrialRecord

if TYPE_CHECKING:
    import optuna

    from autolr.objective import Outcome

_FAILURES = 3  # trials in a row whose own code raised; then the study stops


def tune(
    config: str | Path | Mapping[str, Any],
    *,
    fresh: bool = False,
    dry_run: bool = False,
    listener: Callable[[Event], None] = lambda event: None,
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
        listener: Told what happens, as it happens.
        settings: Of the section ``tune:``, instead of those in the config; None keeps those.

    Raises:
        ConfigError: If a setting cannot work; before the first training step.
        StorageError: If the storage cannot be used, is in use, or holds another study.
        UserCodeError: If the model or the data raise before training, or in three trials in a row.
    """
    read = read_config(config)
    read = replace(read, tune=read.tune.override(**settings))
    stored = None if fresh else study.peek(read.tune.storage, read.tune.study)
    if stored is not None and stored.fingerprint:
        study.check(read.tune.study, stored.fingerprint, fingerprint(read))
        if stored.finished >= read.tune.trials and not dry_run:
            return _complete(read, stored)
    folder = read.tune.folder
    _check_folder(folder)
    listener(CheckStarted())
    if dry_run:
        run_steps = _check(read, folder)
        listener(StudyReady(read, run_steps, _hyperband(read, run_steps), 0, ()))
        return TuneResult(read, (), ())
    with study.locked(read.tune.storage, read.tune.study, folder), signals() as stop:
        try:
            return _Driver(read, folder, listener, stop).run(fresh=fresh)
        except Interrupted as interrupt:  # before the first trial
            trials = () if stored is None else stored.trials
            return TuneResult(read, trials, (), interrupted=interrupt.signum)


def _complete(config: Config, stored: study.Summary) -> TuneResult:
    """Return a study that has all its trials; files that were lost are written again."""
    folder = config.tune.folder
    best = stored.best(len(stored.trials))
    files: tuple[Path, ...] = ()
    if not report.has_artefacts(folder, best[0] if best else None):
        files = _write(config, folder, stored.trials, best)
    return TuneResult(config, stored.trials, best, files)


def _write(
    config: Config, folder: Path, trials: tuple[TrialRecord, ...], best: tuple[TrialRecord, ...]
) -> tuple[Path, ...]:
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return report.write_artefacts(config, folder, trials, best[0] if best else None)


def _check_folder(folder: Path) -> None:
    """Refuse a folder for results that cannot be made; nothing is made."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        why = "not writable" if place.is_dir() else "a file"
        raise ConfigError.of("out", str(folder), f"a folder that can be made ({place} is {why})")


def _check(config: Config, folder: Path) -> int:
    from autolr import objective  # here: torch and lightning take seconds to import

    try:
        return objective.check_run(config, folder)
    except UserCodeError as error:
        raise _with_traceback(error, folder / "error.txt") from error


def _hyperband(config: Config, run_steps: int) -> Hyperband | None:
    pruner = config.tune.pruner
    if pruner.name == "none":
        return None
    least = pruner.min_steps or max(1, run_steps // pruner.eta**2)  # three brackets
    return Hyperband(min(least, run_steps), run_steps, pruner.eta)


class _Driver:
    """Works on one study, whose lock it holds."""

    def __init__(
        self, config: Config, folder: Path, listener: Callable[[Event], None], stop: Stop
    ) -> None:
        self._config = config
        self._folder = folder
        self._listener = listener
        self._stop = stop
        self._trained = 0

    def run(self, *, fresh: bool) -> TuneResult:
        with self._stop.at_once():
            run_steps = _check(self._config, self._folder)
        hyperband = _hyperband(self._config, run_steps)
        tune = self._config.tune
        handle = study.open_study(
            tune.storage,
            tune.study,
            direction="minimize" if tune.mode == "min" else "maximize",
            sampler=tune.sampler,
            seed=self._config.seed,
            hyperband=hyperband,
            fresh=fresh,
        )
        try:
            handle.check_fingerprint(fingerprint(self._config))
            resumed = handle.recover()
            done = handle.finished
            self._listener(StudyReady(self._config, run_steps, hyperband, done, resumed))
            return self._loop(handle, hyperband, run_steps)
        finally:
            handle.close()

    def _loop(self, handle: Study, hyperband: Hyperband | None, run_steps: int) -> TuneResult:
        failures = 0
        end = time.monotonic() + (self._config.tune.timeout or math.inf)
        try:
            while handle.finished < self._config.tune.trials and time.monotonic() < end:
                record = self._trial(handle, hyperband, run_steps)
                failures = failures + 1 if record.state == "FAIL" else 0
                if failures == _FAILURES:
                    raise UserCodeError(
                        f"{failures} trials in a row raised an error, the last one "
                        f"{record.attrs['reason']} (traceback in {self._error_file(record)})"
                    )
                if self._stop.signum is not None:
                    break
        except Interrupted:
            pass
        finally:
            handle.recover()
            best = handle.best(len(handle.trials))
            files = _write(self._config, self._folder, handle.trials, best)
        signum = None if handle.finished >= self._config.tune.trials else self._stop.signum
        return TuneResult(self._config, handle.trials, best, files, self._trained, signum)

    def _trial(self, handle: Study, hyperband: Hyperband | None, run_steps: int) -> TrialRecord:
        from autolr import objective

        trial = handle.ask()
        with study.storage_errors(self._config.tune.storage):
            again = "candidate" in trial.user_attrs
            candidate = candidate_of(self._config.space.suggest(trial))
            trial.set_user_attr("candidate", candidate.id)
            bracket = trial.user_attrs.get("bracket")
        self._listener(TrialStarted(trial.number, trial.params, bracket, again))
        rungs = () if hyperband is None or bracket is None else hyperband.rungs(bracket)
        folder = self._trial_folder(trial.number)
        judge = _Judge(handle, trial, self._listener)
        try:
            with self._stop.at_once():
                outcome = objective.run_trial(
                    self._config, candidate, folder, judge, rungs, run_steps
                )
        except UserCodeError as error:
            _with_traceback(error, folder / "error.txt")
            record = handle.fail(trial, str(error))
        else:
            record = self._tell(handle, trial, candidate, outcome)
        self._trained += 1
        best = handle.best()
        self._listener(TrialEnded(record, bool(best) and best[0].number == record.number))
        return record

    def _tell(
        self, handle: Study, trial: "optuna.Trial", candidate: Candidate, outcome: "Outcome"
    ) -> TrialRecord:
        attrs = {
            "steps": outcome.steps,
            "run_steps": outcome.run_steps,
            "seconds": round(outcome.seconds, 3),
            "metrics": {k: v for k, v in outcome.metrics.items() if math.isfinite(v)},
            "found": replace(candidate, peak=outcome.peak).to_dict(),
        }
        if outcome.diverged:
            return handle.prune(trial, "diverged", attrs)
        if outcome.pruned:
            return handle.prune(trial, "not among the best at its rung", attrs)
        return handle.complete(trial, outcome.value, attrs)

    def _trial_folder(self, number: int) -> Path:
        return self._folder / f"trial_{number}"

    def _error_file(self, record: TrialRecord) -> Path:
        return self._trial_folder(record.number) / "error.txt"


class _Judge:
    """What a running trial sees of the study."""

    def __init__(
        self, handle: Study, trial: "optuna.Trial", listener: Callable[[Event], None]
    ) -> None:
        self._handle = handle
        self._trial = trial
        self._listener = listener
        self._goes_on = True

    def report(self, value: float, step: int) -> None:
        """Judge the score of a rung."""
        self._goes_on = self._handle.judge(self._trial, step, value)
        self._listener(RungReached(self._trial.number, step, value, self._goes_on))

    def should_prune(self) -> bool:
        """Return whether the last score was too bad to go on."""
        return not self._goes_on


def _with_traceback(error: UserCodeError, file: Path) -> UserCodeError:
    """Keep the traceback of the user's error in a file, and say so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(traceback.format_exception(error.__cause__ or error)), "utf-8")
    return UserCodeError(f"{error} (traceback in {file})")
