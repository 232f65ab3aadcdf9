"""What a study does next and what becomes of its trials; it trains nothing itself."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr import study
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config
from autolr.driver.devices import per_trial
from autolr.driver.events import Event, Noted, RungReached, TrialEnded, TrialFailed, TrialStarted
from autolr.driver.first_trial import FirstTrial
from autolr.driver.messages import for_workers
from autolr.errors import UserCodeError
from autolr.job import Decision, TrialJob, TrialResult
from autolr.study import Finish, Hyperband, Resume, Study, TrialRecord, Wait

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 3  # at a trial whose own code raises, hangs or crashes: memory may be free later
_FAILURES = 3  # trials in a row that failed; then the study stops: the cause is common to them
_UNPROMOTED = "not among the best at its rung"


@dataclass(frozen=True, slots=True)
class Work:
    """A job of a trial for a free worker."""

    number: int
    job: TrialJob


class TrialController:
    """Decides for one study, whose lock this process holds. For one thread.

    Args:
        config: The whole config.
        handle: The study, open.
        hyperband: The brackets; None without pruning.
        run_steps: Optimizer steps of a whole run.
        listener: Called with each event.
        identity: Distinguishes the study from all others.
        pauses: Whether a run can be resumed from a rung.
        online: Whether the first trial searches its own peak.
    """

    def __init__(
        self,
        config: Config,
        handle: Study,
        hyperband: Hyperband | None,
        run_steps: int,
        listener: Callable[[Event], None],
        identity: str = "",
        *,
        pauses: bool = True,
        online: bool = False,
    ) -> None:
        self._config = config
        self._handle = handle
        self._hyperband = hyperband
        self._run_steps = run_steps
        self._listener = listener
        self._identity = identity
        self._pauses = pauses and config.tune.pruner.pause
        self._first = FirstTrial.of(config.space) if online else None
        self._open: dict[int, tuple[optuna.Trial, Candidate]] = {}
        self._failed: list[bool] = []  # the last trials, in a row: whether before their first step
        self.trained: set[int] = set()

    def next(self) -> Work | Wait | Finish:
        """Return what a free worker does."""
        wanted = self._config.tune.trials
        action = study.next_action(self._handle.statuses(), wanted, self._hyperband)
        if isinstance(action, Wait | Finish):
            return action
        if isinstance(action, Resume):
            trial = self._handle.resume(action.number, promoted=action.promoted)
        else:
            trial = self._handle.ask()
        return self._work(trial, promoted=isinstance(action, Resume) and action.promoted)

    def begun(self, number: int, worker: Mapping[str, Any]) -> None:
        """Note which process trains a trial.

        Args:
            number: The trial.
            worker: What describes the process, in plain JSON.
        """
        self._handle.note(self._open[number][0], {"worker": dict(worker)})

    def judge(self, number: int, step: int, score: float) -> Decision:
        """Decide at a rung, and keep the score.

        Args:
            number: The trial.
            step: The rung, in optimizer steps.
            score: The monitored metric in its own sign; a score that is not finite stops the trial.
        """
        trial, _ = self._open[number]
        continues = self._handle.judge(trial, step, score)
        waits = not continues and math.isfinite(score)
        self._listener(RungReached(number, step, score, continues, waits and self._pauses))
        if continues:
            return Decision.CONTINUE
        return Decision.PAUSE if waits else Decision.STOP

    def remark(self, number: int, line: str) -> None:
        """Pass on what the user should know about a trial.

        Args:
            number: The trial.
            line: The text, on one line.
        """
        self._listener(Noted(f"trial {number}: {line}"))

    def end(self, number: int, outcome: TrialResult) -> None:
        """Keep what a job of a trial came to.

        Args:
            number: The trial.
            outcome: Its result: finished, paused, pruned or diverged.
        """
        trial, candidate = self._open.pop(number)
        record = self._tell(trial, candidate, outcome)
        self._failed = []
        if record.state != "WAITING":
            self._ended(record)
            self._say_found(record)

    def fail(self, number: int, reason: str, *, unbegun: bool = False) -> None:
        """Count an attempt at a trial that ended by its own fault.

        Args:
            number: Which.
            reason: In one line.
            unbegun: Whether the user's code raised before the first step.

        Raises:
            UserCodeError: If too many trials in a row failed.
        """
        trial, _ = self._open.pop(number)
        record = self._record(number)
        attempts = record.attrs.get("attempts", 0) + 1
        attrs = {"attempts": attempts, "failure": reason}
        never = unbegun and has_no_step(record)
        if attempts < ATTEMPTS and not never:
            self._handle.pause(trial, attrs)
            self._listener(TrialFailed(number, attempts, reason))
            return
        self._ended(self._handle.fail(trial, reason, attrs))
        self._failed.append(never)
        if len(self._failed) == _FAILURES:
            file = self.trial_folder(number) / "error.txt"
            traceback = f" (traceback in {file})" if file.exists() else ""
            when = " before their first step" if all(self._failed) else ""
            raise UserCodeError(
                f"{_FAILURES} trials in a row failed{when}, the last one: {reason}{traceback}"
            )

    def cut(self, number: int) -> None:
        """Let a trial wait whose worker was lost by no fault of its own."""
        trial, _ = self._open.pop(number)
        restarts = self._record(number).attrs.get("restarts", 0) + 1
        self._handle.pause(trial, {"restarts": restarts})

    def finish(self) -> None:
        """End the trials that wait: the study is over."""
        for record in self._handle.end_waiting(_UNPROMOTED):
            self._ended(record)

    def trial_folder(self, number: int) -> Path:
        """Return where a trial logs."""
        return self._config.tune.folder / f"trial_{number}"

    def _record(self, number: int) -> TrialRecord:
        return self._handle.trial(number)

    def _work(self, trial: "optuna.Trial", *, promoted: bool) -> Work:
        number = trial.number
        again = "candidate" in trial.user_attrs
        first = self._first if number == 0 else None
        with study.storage_errors(self._config.tune.storage):
            candidate = first.candidate(trial) if first else self._drawn(trial)
        searched = {study.SEARCHES: first.search.chosen} if first else {}
        self._handle.note(trial, {"candidate": candidate.id, **searched})
        self._open[number] = trial, candidate
        self.trained.add(number)
        record = self._record(number)
        bracket = record.attrs.get("bracket")
        rung = max(record.scores) if promoted else None
        shown = {**record.params, **(first.shown if first else {})}
        judged = None if first else bracket
        self._listener(TrialStarted(number, shown, judged, again and not promoted, rung))
        rungs = () if self._hyperband is None else self._hyperband.rungs(bracket or 0)
        folder, known = self.trial_folder(number), tuple(record.scores)
        mark = f"{self._identity} {number}"
        several = per_trial(self._config.fit.get("trainer")) > 1
        pauses = self._pauses and not (several and candidate.peak is None)  # no search is resumed
        steps = self._run_steps
        config = for_workers(self._config)
        search = None if first is None else first.search
        job = TrialJob(config, candidate, folder, rungs, steps, known, pauses, mark, search)
        if not again or record.attrs.get("attempts", 0) == ATTEMPTS - 1:
            job.checkpoint.unlink(missing_ok=True)  # of another study, or what broke it
        return Work(number, job)

    def _drawn(self, trial: "optuna.Trial") -> Candidate:
        return candidate_of(self._config.space.suggest(trial))

    def _tell(
        self, trial: "optuna.Trial", candidate: Candidate, outcome: TrialResult
    ) -> TrialRecord:
        before = self._record(trial.number).attrs
        attrs = {
            "steps": outcome.steps,
            "run_steps": outcome.run_steps,
            "seconds": round(before.get("seconds", 0.0) + outcome.seconds, 3),
            "metrics": {k: v for k, v in outcome.metrics.items() if math.isfinite(v)},
            "found": _followed(candidate, outcome).to_dict(),
        }
        attrs |= {study.SEARCHED: True} if outcome.searched else {}
        attrs |= {study.DISCARDED: outcome.discarded} if outcome.discarded else {}
        if outcome.diverged:
            return self._handle.prune(trial, study.DIVERGED, attrs)
        if outcome.paused:
            return self._handle.pause(trial, attrs)
        if outcome.pruned:
            return self._handle.prune(trial, _UNPROMOTED, attrs)
        if outcome.stopped_at is not None:
            return self._stopped(trial, outcome, outcome.stopped_at, attrs)
        return self._handle.complete(trial, outcome.value, attrs)

    def _stopped(
        self, trial: "optuna.Trial", outcome: TrialResult, steps: int, attrs: dict[str, Any]
    ) -> TrialRecord:
        """End a trial whose run ended by itself, as one that was pruned there.

        Its last value is that of a run that was not annealed: the sampler gets it, no rung does.
        """
        attrs |= {study.STOPPED_AT: steps, study.STOPPED_VALUE: outcome.value}
        step = self._run_steps * steps // outcome.run_steps  # as rungs are counted
        if self._config.tune.cost is None and step not in self._record(trial.number).scores:
            self._handle.note(trial, {study.OFF_RUNG: step})
            self._handle.report(trial, step, outcome.value)
        reason = f"the run stopped early, after {steps} of {outcome.run_steps} steps"
        return self._handle.prune(trial, reason, attrs)

    def _say_found(self, record: TrialRecord) -> None:
        if study.SEARCHES not in record.attrs:
            return
        middle = study.middle_of(record.attrs) if study.SEARCHED in record.attrs else None
        if middle is None:
            self.remark(
                record.number, "its search found no peak, so the range is drawn from evenly"
            )
            return
        peak = record.attrs["found"]["peak"]
        self.remark(
            record.number,
            f"its search found a peak of {peak:.3g}; the next trials are drawn around {middle:.3g}",
        )

    def _ended(self, record: TrialRecord) -> None:
        for name in ("rung.ckpt", "job.json"):  # (the latter of a worker that was killed)
            (self.trial_folder(record.number) / name).unlink(missing_ok=True)
        best = self._handle.best()
        self._listener(TrialEnded(record, bool(best) and best[0].number == record.number))


def _followed(candidate: Candidate, outcome: TrialResult) -> Candidate:
    """Return what a run has followed: a search inside it finds its peak, and may cut the rate."""
    schedule = candidate.schedule if outcome.schedule is None else outcome.schedule
    return replace(candidate, peak=outcome.peak, schedule=schedule)


def has_no_step(trial: TrialRecord) -> bool:
    """Return whether no attempt at a trial is known to have come to its first step.

    What then raises before that step, raises at each attempt. After a step, the same code has
    worked: what raises now may pass.
    """
    known = ("steps", "attempts")  # (an attempt that was not the last one got further)
    return not trial.scores and not any(name in trial.attrs for name in known)
