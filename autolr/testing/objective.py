"""What every objective must do: a test class to inherit."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from autolr.candidate import Candidate
from autolr.config import Config, read_config
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective import Checkup, check_run, run_trial


class RecordingJudge(Judge):
    """Decides as it is given, and keeps what it is asked about.

    Args:
        decisions: By rung; CONTINUE at all others.

    Attributes:
        scores: What was reported, by rung.
    """

    def __init__(self, decisions: Mapping[int, Decision] = {}) -> None:
        self.scores: dict[int, float] = {}
        self._decisions = decisions

    @override
    def judge(self, step: int, score: float) -> Decision:
        """Return the decision for a rung; see `Judge`."""
        assert step not in self.scores, f"rung {step} is reported twice"
        self.scores[step] = score
        return self._decisions.get(step, Decision.CONTINUE)

    @override
    def remark(self, line: str) -> None:
        """Drop the line."""


class ObjectiveContract:
    """Override the fixture ``source``: it returns a config with your objective, as a mapping.

    Experimental. Keep the run short: each test trains one or two.
    """

    candidate = Candidate(peak=0.01)  # override where your objective needs another one

    @pytest.fixture
    def source(self) -> Mapping[str, Any]:
        """Return the config whose objective is tested."""
        raise NotImplementedError("override the fixture `source`")

    @pytest.fixture
    def config(self, source: Mapping[str, Any]) -> Config:
        """Return the config, read."""
        return read_config(source)

    @pytest.fixture
    def checkup(self, config: Config, tmp_path: Path) -> Checkup:
        """Return what the check returns."""
        return check_run(config, tmp_path / "check")

    @pytest.fixture
    def job(self, config: Config, checkup: Checkup, tmp_path: Path) -> TrialJob:
        """Return a job with two rungs that may pause."""
        steps = checkup.run_steps
        rungs = (max(1, steps // 3), max(2, 2 * steps // 3))
        return TrialJob(config, self.candidate, tmp_path / "trial_0", rungs, steps, trial="a 0")

    def test_the_check_knows_the_length_of_a_run(self, checkup: Checkup) -> None:
        assert checkup.run_steps > 2
        assert all("\n" not in line for line in checkup.warnings)

    def test_a_run_reports_each_rung_once_and_ends_with_a_score(self, job: TrialJob) -> None:
        judge = RecordingJudge()
        result = run_trial(job, judge)
        assert tuple(judge.scores) == job.rungs
        assert all(math.isfinite(score) for score in (*judge.scores.values(), result.value))
        assert (result.steps, result.run_steps) == (job.run_steps, job.run_steps)
        assert not (result.paused)
        assert not (result.pruned)
        assert not (result.diverged)

    def test_a_paused_run_is_resumed_as_if_it_had_not_been(
        self, job: TrialJob, checkup: Checkup, tmp_path: Path
    ) -> None:
        if not checkup.pauses:
            pytest.skip("its runs cannot be resumed")
        first, second = RecordingJudge(_pause(job)), RecordingJudge()
        paused = run_trial(job, first)
        assert (paused.paused, paused.steps) == (True, job.rungs[0])
        resumed = run_trial(replace(job, known=job.rungs[:1]), second)
        judge = RecordingJudge()
        whole = run_trial(replace(job, folder=tmp_path / "trial_1"), judge)
        assert first.scores | second.scores == judge.scores
        assert (resumed.value, resumed.steps) == (whole.value, whole.steps)

    def test_a_run_that_may_not_pause_ends_at_its_rung(self, job: TrialJob) -> None:
        result = run_trial(replace(job, pauses=False), RecordingJudge(_pause(job)))
        assert (result.pruned, result.paused, result.steps) == (True, False, job.rungs[0])
        assert not job.checkpoint.exists()

    def test_a_run_that_is_stopped_has_diverged(self, job: TrialJob) -> None:
        judge = RecordingJudge({job.rungs[0]: Decision.STOP})
        result = run_trial(job, judge)
        assert result.diverged
        assert not result.paused
        assert tuple(judge.scores) == job.rungs[:1]

    def test_a_run_is_left_when_the_study_ends(self, job: TrialJob) -> None:
        result = run_trial(job, RecordingJudge(), lambda: True)
        assert result.paused
        assert result.steps < job.run_steps

    def test_the_same_job_gives_the_same_score(self, job: TrialJob, tmp_path: Path) -> None:
        results: list[TrialResult] = []
        for name in ("a", "b"):
            results.append(run_trial(replace(job, folder=tmp_path / name), RecordingJudge()))
        assert results[0].value == results[1].value


def _pause(job: TrialJob) -> dict[int, Decision]:
    return {job.rungs[0]: Decision.PAUSE}
