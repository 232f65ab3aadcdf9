"""Scores of the candidates in training, by the averages of their last weights."""

import math
from collections.abc import Iterable, Sequence

from autolr.candidate import Candidate
from autolr.generators import kept_generators
from autolr.runtime.average import Average
from autolr.runtime.learner import Learner
from autolr.runtime.trunk import Trunk


class Scoring:
    """Averages the weights of trunks, and scores them.

    Args:
        learner: The run.

    Attributes:
        passes: Passes over the validation data so far.
    """

    def __init__(self, learner: Learner) -> None:
        self.passes = 0
        self._learner = learner

    def sample(self, trunks: Iterable[Trunk], window: int) -> None:
        """Take weights into the averages; one that begins is over as many steps as ``window``."""
        for trunk in trunks:
            if trunk.average is None:
                trunk.average = Average(self._learner.model, window)
            trunk.average.add(None if trunk.snapshot is None else trunk.snapshot.tensors)

    def scores(
        self, live: Trunk, rivals: Sequence[Trunk], *, annealed: bool
    ) -> dict[Candidate, float]:
        """Return the score of each candidate; all ranks have those of rank 0.

        Annealed copies stand for all candidates, the run's own among them.
        """
        trunks = rivals if annealed else [live, *rivals]
        (scores, *_) = self._learner.ranks.gather(lambda: [self._score(t) for t in trunks])
        return {trunk.candidate: score for trunk, score in zip(trunks, scores, strict=True)}

    def _score(self, trunk: Trunk) -> float:
        """Return the validation score of an average, or without validation its training loss."""
        if trunk.diverged or not (trunk.average or trunk.annealed):
            return math.inf
        with trunk.in_place(), kept_generators(), trunk.weights(self._learner.forward):
            score = self._learner.validate()
            if score is None:
                return self._learner.forward()
        self.passes += 1
        return score
