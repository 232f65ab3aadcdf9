"""A candidate's runs with several seeds: which one is trained next, and what they come to together.

The runs of a trial are trained one after another, each to its next rung or its end, and judged
together by their mean.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median_low, stdev
from typing import Any

from autolr.job import TrialResult


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a candidate, as far as it is known.

    Attributes:
        scores: At rungs, by step.
        steps: Optimizer steps so far, probes included.
        run_steps: Of the whole run; 0: not known yet.
        value: The final score; None: it has not ended.
        metrics: Every metric as it was logged last.
        peak: The peak, given or searched.
        stopped_at: Steps after which it ended by itself before its planned length, if it did.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    steps: int = 0
    run_steps: int = 0
    value: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    peak: float | None = None
    stopped_at: int | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a candidate, one a seed, in the order of their seeds."""

    runs: tuple[Run, ...]

    @classmethod
    def read(cls, stored: Sequence[Mapping[str, Any]] | None, count: int) -> "Runs":
        """Return the runs that `to_json` wrote; None: ``count`` runs that have not begun.

        Args:
            stored: What was written.
            count: How many runs there are.
        """
        if stored is None:
            return cls((Run(),) * count)
        return cls(tuple(map(_read, stored)))

    def to_json(self) -> list[dict[str, Any]]:
        """Return them as plain JSON."""
        return [{name: getattr(run, name) for name in Run.__slots__} for run in self.runs]

    @property
    def next(self) -> int:
        """The run that is trained next: of those that have not ended, the least advanced one."""
        open_ones = [index for index, run in enumerate(self.runs) if run.value is None]
        return min(open_ones, key=lambda index: (max(self.runs[index].scores, default=0), index))

    @property
    def over(self) -> bool:
        """Whether all have ended."""
        return all(run.value is not None for run in self.runs)

    @property
    def steps(self) -> int:
        """Optimizer steps of all together."""
        return sum(run.steps for run in self.runs)

    @property
    def spread(self) -> float | None:
        """The sample standard deviation of the final scores; None before all have ended."""
        values = [run.value for run in self.runs if run.value is not None]
        return stdev(values) if self.over else None

    def scored(self, index: int, step: int, score: float) -> "Runs":
        """Return the runs with one's score at a rung.

        Args:
            index: Which run.
            step: The rung.
            score: A finite score.
        """
        return self._with(index, scores={**self.runs[index].scores, step: score})

    def mean_at(self, step: int) -> float | None:
        """Return the mean score at a rung; None while a run may still come there."""
        if any(run.value is None and step not in run.scores for run in self.runs):
            return None
        return fmean(run.scores[step] for run in self.runs if step in run.scores)

    def trained(self, index: int, outcome: TrialResult) -> "Runs":
        """Return the runs with what a job of one came to.

        Args:
            index: Which run.
            outcome: The result of the job.
        """
        return self._with(
            index,
            steps=outcome.steps,
            run_steps=outcome.run_steps,
            value=outcome.value if _has_ended(outcome) else None,
            metrics={k: v for k, v in outcome.metrics.items() if math.isfinite(v)},
            peak=outcome.peak,
            stopped_at=outcome.stopped_at,
        )

    def has_another(self, outcome: TrialResult) -> bool:
        """Return whether another run of the trial follows the end of this one."""
        return _has_ended(outcome) and not self.over

    def together(self, last: TrialResult) -> TrialResult:
        """Return the result of the trial: means of scores and metrics, and the sum of the steps.

        The peak is the middle one of those that the runs found; of two, the lower one.

        Args:
            last: The result of the last job, for all that has one value.
        """
        begun = [run for run in self.runs if run.run_steps]
        peaks = [run.peak for run in begun if run.peak is not None]
        stopped = [run.stopped_at for run in begun if run.stopped_at is not None]
        return replace(
            last,
            value=fmean(run.value or 0.0 for run in self.runs) if self.over else last.value,
            metrics=dict(_means([run.metrics for run in begun])),
            steps=self.steps,
            peak=median_low(peaks) if peaks else None,
            stopped_at=min(stopped) if self.over and stopped else None,
        )

    @property
    def result(self) -> TrialResult:
        """The result of the trial, when all have ended."""
        return self.together(TrialResult(math.nan, {}, 0, self.runs[0].run_steps))

    def _with(self, index: int, **changes: Any) -> "Runs":
        changed = replace(self.runs[index], **changes)
        return Runs((*self.runs[:index], changed, *self.runs[index + 1 :]))


def _read(stored: Mapping[str, Any]) -> Run:
    scores = {int(step): score for step, score in stored["scores"].items()}
    return Run(**{**stored, "scores": scores})


def _has_ended(outcome: TrialResult) -> bool:
    """Return whether a run was trained to its end, with a score that counts."""
    left = outcome.paused or outcome.pruned or outcome.diverged
    return not left and math.isfinite(outcome.value)


def _means(metrics: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield the mean of each metric that all have."""
    for name in metrics[0] if metrics else ():
        if all(name in others for others in metrics):
            yield name, fmean(others[name] for others in metrics)
