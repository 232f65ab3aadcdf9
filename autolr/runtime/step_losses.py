"""The training losses of the steps of a probe, and their forecast."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from autolr.online.probe_forecast import forecast
from autolr.runtime.score import Score

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.runtime.candidate_run import CandidateRun
    from autolr.runtime.collectives import Ranks


@dataclass
class StepLosses:
    """The training losses of successive steps.

    Attributes:
        steps: Of each step the mean over its batches.
        batches: Those of a step that is not complete, as gradients are accumulated.
    """

    steps: list[float] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)

    def note(self, loss: Tensor | None, *, stepped: bool) -> None:
        """Note the loss of a batch.

        Args:
            loss: None: the batch has none.
            stepped: Whether the batch completes a step.
        """
        self.batches += [] if loss is None else [float(loss.detach())]
        if stepped and self.batches:
            self.steps.append(sum(self.batches) / len(self.batches))
            self.batches = []

    def to_list(self) -> list[list[float]]:
        """Return plain values, for the constructor."""
        return [list(self.steps), list(self.batches)]


def forecasts(
    runs: Sequence["CandidateRun"], ahead: int, ranks: "Ranks"
) -> "dict[Candidate, Score]":
    """Return the training loss that is forecast for each candidate; all ranks have the same.

    It is NaN for a candidate whose steps had no loss.

    Args:
        runs: The candidates, with their losses.
        ahead: So many steps behind the last one.
        ranks: The processes that train the run together: a loss is the mean over them.
    """
    by_rank = ranks.gather(lambda: [run.losses.steps for run in runs])
    scores = {}
    for index, run in enumerate(runs):
        steps = list(zip(*(losses[index] for losses in by_rank), strict=False))
        means = [sum(step) / len(by_rank) for step in steps]
        scores[run.candidate] = Score(forecast(means, ahead) if means else math.nan)
    return scores
