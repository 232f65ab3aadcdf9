"""What a study does next and what becomes of its trials; it trains nothing itself."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from autolr import study
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config
from autolr.driver.ending import why_over
from autolr.driver.events import Event, Noted, RungReached, TrialEnded, TrialFailed, TrialStarted
from autolr.driver.first_trial import FirstTrial, found_line
from autolr.driver.seeds import Runs
from autolr.driver.telling import UNPROMOTED, tell
from autolr.driver.trial_files import TrialFiles
from autolr.driver.work import OpenTrial, Work, has_no_step
from autolr.errors import UserCodeError
from autolr.job import Decision, TrialResult
from autolr.study import Finish, Hyperband, Resume, Study, TrialRecord, Wait

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 3  # at a trial whose own code raises, hangs or crashes: memory may be free later
_FAILURES = 3  # trials in a row that failed; then the study stops: the cause is common to them


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
        prior: A peak by rule, around which the searches inside its trials begin.
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
        prior: Mapping[str, float] | None = None,
    ) -> None:
        self._config = config
        self._handle = handle
        self._hyperband = hyperband
        self._run_steps = run_steps
        self._listener = listener
        self._prior = prior or {}
        self._files = TrialFiles(
            config, hyperband, run_steps, identity, pauses=pauses, prior=self._prior
        )
        self._first = FirstTrial.of(config.space, run_steps, config.own_point) if online else None
        self._open: dict[int, OpenTrial] = {}
        self._queued: list[int] = []  # open trials of which another run is next
        self._failed: list[bool] = []  # the last trials, in a row: whether before their first step
        self._proposer = study.Proposer(config.space, config.start)
        self._spent: set[str] = set()  # points that failed, and are not tried again here
        self.trained: set[int] = set()

    @property
    def over(self) -> str | None:
        """Why no further trial begins, though the study has not all its trials; None: one may."""
        return why_over(self._config, self._handle.trials, self._spent)

    def next(self) -> Work | Wait | Finish:
        """Return what a free worker does; a trial with a point that was trained is ended here."""
        work = self._next_run()
        while work is None:
            wanted = 0 if self.over else self._config.tune.trials
            action = study.next_action(self._handle.statuses(), wanted, self._hyperband)
            if isinstance(action, Wait | Finish):
                return action
            if isinstance(action, Resume):
                trial = self._handle.resume(action.number, promoted=action.promoted)
            else:
                trial = self._handle.ask()
            work = self._work(trial, promoted=isinstance(action, Resume) and action.promoted)
        return work

    def begun(self, number: int, worker: Mapping[str, Any]) -> None:
        """Note which process trains a trial.

        Args:
            number: The trial.
            worker: What describes the process, in plain JSON.
        """
        self._handle.note(self._open[number].trial, {"worker": dict(worker)})

    def judge(self, number: int, step: int, score: float) -> Decision:
        """Decide at a rung, and keep the score.

        Args:
            number: The trial.
            step: The rung, in optimizer steps.
            score: The monitored metric in its own sign; a score that is not finite stops the trial.
        """
        opened = self._open[number]
        if self._config.tune.seeds > 1 and math.isfinite(score):
            opened.runs = opened.runs.scored(opened.current, step, score)
            self._handle.note(opened.trial, {study.RUNS: opened.runs.to_json()})
            mean = opened.runs.mean_at(step)
            if mean is None:
                opened.held = True
                return Decision.PAUSE
            score = mean
        continues = self._handle.judge(opened.trial, step, score)
        waits = not continues and math.isfinite(score)
        self._listener(RungReached(number, step, score, continues, waits and self._files.pauses))
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
        opened = self._open[number]
        if self._config.tune.seeds > 1:
            opened.runs = opened.runs.trained(opened.current, outcome)
            if opened.held or opened.runs.has_another(outcome):
                self._queue(number, outcome)
                return
            outcome = opened.runs.together(outcome)
        self._open.pop(number)
        record = self._tell(opened, outcome)
        if record.state != "WAITING" or self._handle.best():
            self._failed = []  # else a paused one may yet come to where the others failed
        if record.state != "WAITING":
            self._ended(record)
            if (line := found_line(record, self._prior)) is not None:
                self.remark(number, line)

    def fail(self, number: int, reason: str, *, unbegun: bool = False) -> None:
        """Count an attempt at a trial that ended by its own fault.

        Args:
            number: Which.
            reason: In one line.
            unbegun: Whether the user's code raised before the first step.

        Raises:
            UserCodeError: If too many trials in a row failed.
        """
        opened = self._open.pop(number)
        trial, record = opened.trial, self._record(number)
        reason = f"{self._files.run_name(opened.current)}{reason}"
        attempts = record.attrs.get("attempts", 0) + 1
        attrs = {"attempts": attempts, "failure": reason}
        never = unbegun and has_no_step(record)
        if attempts < ATTEMPTS and not never:
            self._handle.pause(trial, attrs)
            self._listener(TrialFailed(number, attempts, reason))
            return
        self._spent.add(study.key_of(record.params))
        self._ended(self._handle.fail(trial, reason, attrs))
        self._failed.append(never)
        if len(self._failed) == _FAILURES:
            file = self._files.folder(number, opened.current) / "error.txt"
            traceback = f" (traceback in {file})" if file.exists() else ""
            when = " before their first step" if all(self._failed) else ""
            raise UserCodeError(
                f"{_FAILURES} trials in a row failed{when}, the last one: {reason}{traceback}"
            )

    def cut(self, number: int) -> None:
        """Let a trial wait whose worker was lost by no fault of its own."""
        trial = self._open.pop(number).trial
        restarts = self._record(number).attrs.get("restarts", 0) + 1
        self._handle.pause(trial, {"restarts": restarts})

    def finish(self) -> None:
        """End the trials that wait: the study is over."""
        for record in self._handle.end_waiting(UNPROMOTED):
            self._ended(record)

    def _record(self, number: int) -> TrialRecord:
        return self._handle.trial(number)

    def _work(self, trial: "optuna.Trial", *, promoted: bool) -> Work | None:
        """Return the job of a trial that was begun or resumed; None: it has ended."""
        number = trial.number
        again = study.CANDIDATE in trial.user_attrs
        candidate = self._candidate(trial, again=again)
        record = self._record(number)
        twin = study.twin_of(record, self._handle.trials)
        if twin is not None and (has_no_step(record) or study.SAME_AS in record.attrs):
            self._ended(study.repeat(self._handle, trial, twin))
            return None
        self.trained.add(number)
        bracket = record.attrs.get("bracket")
        rung = max(record.scores) if promoted else None
        first = self._searching(number)
        shown = {**record.params, **(first.shown if first else {})}
        judged = None if first else bracket
        self._listener(TrialStarted(number, shown, judged, again and not promoted, rung))
        runs = Runs.read(record.attrs.get(study.RUNS), self._config.tune.seeds)
        if runs.over:  # its process was killed just before the trial could end
            self._ended(self._tell(OpenTrial(trial, candidate, runs, 0), runs.result))
            return None
        self._open[number] = OpenTrial(trial, candidate, runs, runs.next)
        broken = record.attrs.get("attempts", 0) == ATTEMPTS - 1
        for index in range(len(runs.runs)):
            if not again or (broken and index == runs.next):
                self._files.forget(number, index)
        return self._job(number)

    def _job(self, number: int) -> Work:
        opened, first = self._open[number], self._searching(number)
        search = None if first is None else first.search
        record, runs = self._record(number), opened.runs
        return Work(number, self._files.job(record, opened.candidate, runs, opened.current, search))

    def _searching(self, number: int) -> FirstTrial | None:
        """Return the first trial, if this is it: the one with which the study, or a call, begins.

        Three failures in a row end a call. While nothing but failures is known, the next call
        searches again.
        """
        attrs = self._record(number).attrs
        if number == 0 or study.SEARCHES in attrs:
            return self._first
        earlier = (record for record in self._handle.trials if record.number < number)
        begins = number % _FAILURES == 0 and all(record.state == "FAIL" for record in earlier)
        return self._first if begins and study.CANDIDATE not in attrs else None

    def _queue(self, number: int, outcome: TrialResult) -> None:
        """Keep what a run came to, and have the next one of its trial trained."""
        opened = self._open[number]
        seconds = self._seconds(number, outcome)
        attrs = {study.RUNS: opened.runs.to_json(), "steps": opened.runs.steps, "seconds": seconds}
        self._handle.note(opened.trial, attrs)
        self._queued.append(number)

    def _next_run(self) -> Work | None:
        if not self._queued:
            return None
        number = self._queued.pop(0)
        opened = self._open[number]
        opened.current, opened.held = opened.runs.next, False
        return self._job(number)

    def _seconds(self, number: int, outcome: TrialResult) -> float:
        before: float = self._record(number).attrs.get("seconds", 0.0)
        return round(before + outcome.seconds, 3)

    def _candidate(self, trial: "optuna.Trial", *, again: bool) -> Candidate:
        first = self._searching(trial.number)
        with study.storage_errors(self._config.tune.storage):
            if first is not None:
                candidate = first.candidate(trial)
            elif again:
                candidate = self._of_point(self._config.space.suggest(trial))
            else:
                proposed = self._proposer.propose(self._handle, trial, self._spent)
                candidate = self._of_point(proposed)
        searched = {} if first is None else {study.SEARCHES: first.search.chosen}
        self._handle.note(trial, {**searched, study.CANDIDATE: candidate.id})
        return candidate

    def _of_point(self, point: Mapping[str, Any]) -> Candidate:
        return candidate_of(point, self._config.space.own)

    def _tell(self, opened: OpenTrial, outcome: TrialResult) -> TrialRecord:
        more: dict[str, Any] = {"seconds": self._seconds(opened.trial.number, outcome)}
        if self._config.tune.seeds > 1:
            more |= {study.RUNS: opened.runs.to_json(), study.SPREAD: opened.runs.spread}
        return tell(self._handle, opened.trial, opened.candidate, outcome, self._run_steps, more)

    def _ended(self, record: TrialRecord) -> None:
        self._files.tidy(record.number)
        self._files.keep_best(self._handle.trials)
        best = self._handle.best()
        self._listener(TrialEnded(record, bool(best) and best[0].number == record.number))
