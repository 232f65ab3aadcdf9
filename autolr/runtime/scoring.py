"""Scores of the candidates in training, by the averages of their last weights."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple
from typing import Any

from autolr.candidate import Candidate
from autolr.rng import isolated_rng
from autolr.runtime.average import Average
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.failures import of_a_search
from autolr.runtime.learner import Learner
from autolr.runtime.score import Score
from autolr.runtime.structure import is_trained_finite
from autolr.runtime.untouched import untouched

LOST = Score(math.inf)
"""The score of a candidate that has diverged."""


class Scoring:
    """Averages the weights of runs, and scores them.

    Args:
        learner: The run.

    Attributes:
        passes: Passes over the validation data so far.
        initial: The score of the untrained state; None where it is not known.
    """

    def __init__(self, learner: Learner) -> None:
        self.passes = 0
        self.initial: Score | None = None
        self._learner = learner

    def sample(self, runs: Iterable[CandidateRun], window: int) -> None:
        """Take weights into the averages; one that begins is over as many steps as ``window``.

        Args:
            runs: The candidates in training.
            window: Steps over which a new average is taken.
        """
        for run in runs:
            if run.average is None:
                learner = self._learner
                run.average = Average(learner.model, learner.optimizer, window)
            run.average.add(None if run.snapshot is None else run.snapshot.tensors)

    def scores(
        self,
        live: CandidateRun,
        rivals: Sequence[CandidateRun],
        failed: Callable[[CandidateRun, Exception], None],
        *,
        annealed: bool,
    ) -> dict[Candidate, Score]:
        """Return the score of each candidate; all ranks have those of rank 0.

        Annealed copies stand for all candidates, the run's own among them.

        Args:
            live: The live run.
            rivals: The copies beside it.
            failed: Called with a rival that raises, whose score is infinite, and the error.
            annealed: Whether the rivals are annealed copies.
        """
        runs = rivals if annealed else [live, *rivals]
        gather = self._learner.ranks.gather
        (sent, *_) = gather(lambda: [astuple(self._attempt(run, failed)) for run in runs])
        return {run.candidate: Score.of(one) for run, one in zip(runs, sent, strict=True)}

    def ends(self, averages: Sequence[Average | None]) -> list[Score]:
        """Return the score of the weights in place, and of each average; all ranks have rank 0's.

        Args:
            averages: Of the run; the score of one that there is not is infinite.
        """
        forward, gather = self._learner.forward, self._learner.ranks.gather
        ways = [None if one is None else one.in_place(forward) for one in averages]
        (sent, *_) = gather(
            lambda: [
                astuple(LOST if way is None else self._score_within(way))
                for way in (nullcontext(), *ways)
            ]
        )
        return [Score.of(one) for one in sent]

    def look_at_untrained(self) -> None:
        """Score the state in place, of which the run has trained no step yet."""
        if self.initial is None:
            with isolated_rng():
                (sent, *_) = self._learner.ranks.gather(self._untrained)
            self.initial = None if sent is None else Score.of(sent)
            self.passes += self.initial is not None

    def _untrained(self) -> tuple[Any, ...] | None:
        """Return the parts of the score of the state in place, which ranks can send."""
        score = self._learner.validate()
        return None if score is None else astuple(score)

    def _attempt(
        self, run: CandidateRun, failed: Callable[[CandidateRun, Exception], None]
    ) -> Score:
        try:
            return self._score(run)
        except of_a_search(self._learner.ranks) as error:
            if run.snapshot is None:  # the live run: nothing can be compared with it
                raise
            failed(run, error)
            return LOST

    def _score(self, run: CandidateRun) -> Score:
        """Return the validation score of an average, or without validation its training loss."""
        if run.diverged or not (run.average or run.annealed):
            return LOST
        with run.in_place():
            return self._score_within(run.weights(self._learner.forward))

    def _score_within(self, weights: AbstractContextManager[None]) -> Score:
        """Return the score of the state in place with the weights that ``weights`` puts there."""
        learner = self._learner
        with isolated_rng(), weights:
            finite = is_trained_finite(learner.model, learner.optimizer)
            if not all(learner.ranks.gather(lambda: finite)):
                return LOST  # a metric may hide it
            score = learner.validate()
            if score is None:
                with untouched(learner.model, weights=True):
                    return Score(learner.forward())
        self.passes += 1
        return score


def by_batch(scores: Sequence[Score]) -> tuple[tuple[float, ...], ...] | None:
    """Return scores by validation batch; None where not all of them have the same batches."""
    lengths = {len(score.by_batch) for score in scores if math.isfinite(score.value)}
    if len(lengths) != 1 or lengths == {0}:
        return None
    return tuple(score.by_batch for score in scores)
