"""What a Python function reports and saves in one job of a trial, and what follows from it."""

import math
import operator
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from autolr.config import FUNCTION, OBJECTIVE
from autolr.errors import ConfigError
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective.packed_state import Packed
from autolr.objective.score_log import ScoreLog
from autolr.objective.state_file import UnusableStateError, read_state
from autolr.predicates import is_whole


class TrialOver(BaseException):
    """Leaves a function when its trial is to end; ``except Exception`` does not catch it."""


class Course:
    """One job of a trial, from its start or what was saved, to a rung or the end.

    A state counts once the study has the score that was reported with it: else a trial that is
    killed in between would be judged by a later score, and its course depend on the moment.

    Args:
        job: What to train.
        judge: Decides at the rungs.
        leave: Whether to return as soon as possible, paused.
    """

    def __init__(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> None:
        self._job = job
        self._judge = judge
        self._leave = leave
        self._started = time.monotonic()
        self._scores: dict[int, float] = {}  # by step, from the trial's start
        self._step = 0  # of the last report of this job
        self._log = ScoreLog(job.folder / "metrics.jsonl", job.config.tune.monitor)
        self._judged = max(job.known, default=0)  # the last rung that was
        self._unwritten: Packed | None = None
        self._ended: dict[str, Any] | None = None  # how, as `TrialResult` says it

    @property
    def begun(self) -> bool:
        """Whether the function has reported a score in this job."""
        return self._step > 0

    @property
    def next_rung(self) -> int | None:
        """The next step at which the study judges; None: it does not any more."""
        ahead = (rung for rung in self._job.rungs if rung > max(self._step, self._judged))
        return min(ahead, default=None)

    def report(self, score: object, step: object) -> None:
        """Take a score; see `Trial.report`.

        Args:
            score: A number.
            step: A whole number.
        """
        if self._ended is not None:  # the function has caught what ended it
            raise TrialOver
        value = self._checked(score, step)
        if not math.isfinite(value):
            self._end(diverged=True)
        self._keep(value)
        decision = self._decided(value)
        if decision is Decision.STOP:
            self._end(diverged=True)
        if decision is Decision.PAUSE and not self._job.pauses:
            self._end(pruned=True)
        self._write()
        if decision is Decision.PAUSE:
            resumable = self._job.checkpoint.exists()
            self._end(paused=resumable, pruned=not resumable)
        if self._step < self._job.run_steps and self._leave():
            self._end(paused=True)

    def save(self, state: object) -> None:
        """Keep a state; see `Trial.save`."""
        self._unwritten = Packed(state)
        if self.next_rung is None:
            self._write()

    def load(self) -> Any:
        """Return what was saved last; see `Trial.load`."""
        file = self._job.checkpoint
        if not file.exists():
            return None
        try:
            state, notes = read_state(file)
            if notes["trial"] != self._job.trial:
                raise UnusableStateError("it belongs to another trial or study")
        except UnusableStateError as error:
            self._judge.remark(f"{file} is not used, {error}; the trial begins anew")
            return None
        if not self.begun:
            self._scores = dict(notes["scores"])
        return state

    def left(self) -> TrialResult:
        """Return the result of a job that is left before it has begun."""
        self._ended = {"paused": True}
        return self.result()

    def result(self, returned: object = None) -> TrialResult:
        """Return what the job came to.

        Args:
            returned: What the function returned, if it did.

        Raises:
            ConfigError: If that is no score.
        """
        ended, least = self._ended, self._judged
        if ended is None:
            value, least = self._final(returned), self._job.run_steps
            ended = {} if math.isfinite(value) else {"diverged": True}
        else:
            value = self._last()
        if not ended.get("paused"):
            self._job.checkpoint.unlink(missing_ok=True)
        return TrialResult(
            value=value,
            metrics={self._job.config.tune.monitor: value},
            steps=max(self._step, *self._scores, 0) or least,
            run_steps=self._job.run_steps,
            seconds=time.monotonic() - self._started,
            peak=self._job.candidate.peak,
            **ended,
        )

    def _decided(self, value: float) -> Decision:
        """Have a score judged if it is the first one from a rung on; of several rungs, the last."""
        passed = [rung for rung in self._job.rungs if self._judged < rung <= self._step]
        if not passed:
            return Decision.CONTINUE
        self._judged = max(passed)
        return self._judge.judge(self._judged, value)

    def _checked(self, score: object, step: object) -> float:
        most, least = self._job.run_steps, self._step + 1
        if not isinstance(step, int):
            with suppress(TypeError):
                step = operator.index(step)  # type: ignore[arg-type]
        if not is_whole(step, least, most):
            if least > most:
                expected = f"reported once, max_steps {most} was the last one"
            else:
                before = f", after {self._step} in the last report" if self._step else ""
                expected = f"a whole number from {least} to max_steps, {most}{before}"
            raise ConfigError.of("trial.report(score, step): step", step, expected)
        value = _number(score)
        if value is None:
            raise ConfigError.of("trial.report(score, step): score", score, "a number")
        assert isinstance(step, int)
        self._step = step
        return value

    def _final(self, returned: object) -> float:
        if returned is None and self._scores:
            return self._last()
        value = _number(returned)
        if value is None:
            expected = "a number: the final score, or None after trial.report(score, step)"
            function = self._job.config.fit[OBJECTIVE][FUNCTION]
            raise ConfigError.of(f"what {function} returns", returned, expected)
        return value

    def _last(self) -> float:
        return self._scores[max(self._scores)] if self._scores else math.nan

    def _keep(self, value: float) -> None:
        """Keep a score, and what was reported before it."""
        self._scores = {k: v for k, v in self._scores.items() if k < self._step}
        self._scores[self._step] = value
        self._log.write(self._scores)

    def _write(self) -> None:
        if self._unwritten is not None:
            self._job.folder.mkdir(parents=True, exist_ok=True)
            notes = {"trial": self._job.trial, "scores": list(self._scores.items())}
            self._unwritten.write(self._job.checkpoint, notes)
            self._unwritten = None

    def _end(self, **how: bool) -> NoReturn:
        self._ended = how
        raise TrialOver


def _number(value: object) -> float | None:
    """Return a number of any kind as a float (a tensor or array of one, too), else None."""
    if isinstance(value, str | bytes | bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (
        TypeError,
        ValueError,
        OverflowError,
        RuntimeError,
    ):  # the last one: a tensor of several numbers
        return None
