"""An objective that only counts: what engines, workers and drivers are tested with."""

import time
from collections.abc import Callable
from pathlib import Path

from typing_extensions import override

from autolr.config import Config
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective import Checkup, Objective


class CountingObjective(Objective):
    """Counts steps; its score after ``n`` of them is ``1 / n``. Its checkpoint is the number.

    Args:
        steps: Of a run.
        seconds: That each takes.
        error: What a run raises at its first step, as a `ValueError`; "": it raises nothing.
    """

    def __init__(self, steps: int = 6, seconds: float = 0.0, error: str = "") -> None:
        self._steps = steps
        self._seconds = seconds
        self._error = error

    @override
    def check(self, config: Config, folder: Path) -> Checkup:
        """Return the length of a run; see `Objective`."""
        return Checkup(self._steps)

    @override
    def run(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
        """Count; see `Objective`."""
        if self._error:
            raise ValueError(self._error)
        step = int(job.checkpoint.read_text()) if job.checkpoint.exists() else 0
        while step < self._steps:
            if leave():
                return self._left(job, step, Decision.PAUSE)
            time.sleep(self._seconds)
            step += 1
            if step in job.rungs and step not in job.known:
                decision = judge.judge(step, 1 / step)
                if decision is not Decision.CONTINUE:
                    return self._left(job, step, decision)
        return TrialResult(1 / step, {}, step, self._steps, peak=job.candidate.peak)

    def _left(self, job: TrialJob, step: int, decision: Decision) -> TrialResult:
        paused = decision is Decision.PAUSE and job.pauses
        if paused:
            job.folder.mkdir(parents=True, exist_ok=True)
            job.checkpoint.write_text(str(step))
        return TrialResult(
            1 / max(1, step),
            {},
            step,
            self._steps,
            peak=job.candidate.peak,
            pruned=decision is Decision.PAUSE and not paused,
            diverged=decision is Decision.STOP,
            paused=paused,
        )
