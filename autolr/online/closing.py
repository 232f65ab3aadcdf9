"""The end of a run: its last weights, or an average of them."""

import math
from collections.abc import Sequence

from autolr.online.evidence import Evidence
from autolr.online.noise import FEWEST_BATCHES
from autolr.online.observation import Observation
from autolr.online.records import AveragedEnd
from autolr.online.search import Search
from autolr.online.verdict import size

ENDS = (0.2, 0.4, 0.6)
"""Shares of a run whose averages are compared: half of its linear end, all of it, and half more.

An average over more of the last steps stands for a longer fall of the rate (Sandler et al. 2023,
arXiv:2301.02312), so the length of the fall is chosen where it can be seen, and costs no step.
"""


def windows_of(shares: Sequence[float], total_steps: int) -> tuple[int, ...]:
    """Return over how many of its last steps the averages of a run are, of two steps at least.

    Args:
        shares: Of the run.
        total_steps: Optimizer steps of the run.

    >>> windows_of((0.2, 0.4), 100)
    (20, 40)
    """
    return tuple(window for share in shares if (window := round(share * total_steps)) > 1)


def averaged_end(search: Search, observation: Observation) -> AveragedEnd | None:
    """Return the average with which a run ends; None: its last weights stay.

    The best average takes their place where it is better by 0.3 % (``thresholds.margin``), by 1 %
    (``least``) where validation has too few batches. No standard error is asked for: what cannot be
    told apart by the scores is as good, and of two such ends the average is the steadier one.

    Args:
        search: The search, which is over.
        observation: The scores of the last weights and of each average, and their windows.
    """
    evidence = Evidence(observation.scores, observation.batch_scores)
    best, last = evidence.best, evidence.scores[0]
    if best == 0:
        return None
    known = min(len(evidence.batches(index)) for index in (0, best)) >= FEWEST_BATCHES
    share = search.thresholds.margin if known else search.thresholds.least
    score = evidence.scores[best]
    if math.isfinite(last) and last - score <= share * size(search, last):
        return None
    return AveragedEnd(observation.windows[best - 1], score, last)
