"""The study loop: ask, train, judge, tell, until the study is complete."""

import math
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

from autolr import report, study
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config, fingerprint, read_config
from autolr.errors import UserCodeError
from autolr.study import Hyperband, Study, TrialRecord

if TYPE_CHECKING:
    import optuna

    from autolr.objective import Outcome

_FAILURES = 3  # trials in a row whose own code raised; then the study stops


@dataclass(frozen=True, slots=True)
class StudyReady:
    """The study is open and its set-up has been checked.

    Attributes:
        config: The whole config.
        run_steps: Optimizer steps of one whole run.
        hyperband: The brackets; None without pruning.
        finished: Trials finished before.
        resumed: Numbers of cut trials that will be run again.
    """

    config: Config
    run_steps: int
    hyperband: Hyperband | None
    finished: int
    resumed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial begins; ``again`` if it was cut before."""

    number: int
    params: Mapping[str, Any]
    bracket: int | None
    again: bool


@dataclass(frozen=True, slots=True)
class RungReached:
    """A trial was judged after ``step`` optimizer steps."""

    number: int
    step: int
    score: float
    goes_on: bool


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is over; ``best`` if it is the best so far."""

    trial: TrialRecord
    best: bool


Event: TypeAlias = StudyReady | TrialStarted | RungReached | TrialEnded


@dataclass(frozen=True, slots=True)
class TuneResult:
    """A study as `tune` left it.

    Attributes:
        config: The whole config.
        trials: All trials by number.
        best: The complete trials, best first.
        files: What was written.
        trained: Trials that were run by this call.
        interrupted: The signal that ended it early, or None.
    """

    config: Config
    trials: tuple[TrialRecord, ...]
    best: tuple[TrialRecord, ...]
    files: tuple[Path, ...] = ()
    trained: int = 0
    interrupted: int | None = None

    @property
    def finished(self) -> int:
        """Trials that count: complete and pruned ones."""
        return sum(trial.state in ("COMPLETE", "PRUNED") for trial in self.trials)

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return sum(trial.state == "FAIL" for trial in self.trials)

    @property
    def complete(self) -> bool:
        """Whether the study has all the trials that it was asked for."""
        return self.finished >= self.config.tune.trials


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
            return TuneResult(read, stored.trials, stored.best(len(stored.trials)))
    folder = read.tune.folder
    if dry_run:
        run_steps = _check(read, folder)
        listener(StudyReady(read, run_steps, _hyperband(read, run_steps), 0, ()))
        return TuneResult(read, (), ())
    with study.locked(read.tune.storage, read.tune.study, folder):
        return _Driver(read, folder, listener).run(fresh=fresh)


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


class _Interrupted(BaseException):
    """A signal asks for the end; no Exception, so that Lightning lets it pass."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _Driver:
    """Works on one study, whose lock it holds."""

    def __init__(self, config: Config, folder: Path, listener: Callable[[Event], None]) -> None:
        self._config = config
        self._folder = folder
        self._listener = listener
        self._trained = 0

    def run(self, *, fresh: bool) -> TuneResult:
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
        interrupted = None
        failures = 0
        end = time.monotonic() + (self._config.tune.timeout or math.inf)
        try:
            with _signals():
                while handle.finished < self._config.tune.trials and time.monotonic() < end:
                    record = self._trial(handle, hyperband, run_steps)
                    failures = failures + 1 if record.state == "FAIL" else 0
                    if failures == _FAILURES:
                        raise UserCodeError(
                            f"{failures} trials in a row raised an error, the last one "
                            f"{record.attrs['reason']} (traceback in {self._error_file(record)})"
                        )
        except _Interrupted as interrupt:
            interrupted = interrupt.signum
        finally:
            handle.recover()
            self._folder.mkdir(parents=True, exist_ok=True)
            best = handle.best(len(handle.trials))
            files = report.write_artefacts(
                self._config, self._folder, handle.trials, best[0] if best else None
            )
        return TuneResult(self._config, handle.trials, best, files, self._trained, interrupted)

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
            outcome = objective.run_trial(self._config, candidate, folder, judge, rungs, run_steps)
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


@contextmanager
def _signals() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `_Interrupted`; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_DFL)
        raise _Interrupted(signum)

    before = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
