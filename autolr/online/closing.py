"""The end of a run: its last weights, or an average of them."""

import math
from collections.abc import Sequence

from autolr.online.noise import FEWEST_BATCHES, standard_error
from autolr.online.observation import Observation
from autolr.online.records import AveragedEnd
from autolr.online.search import Search
from autolr.online.verdict import size

ENDS = (0.2, 0.4)
"""Shares of a run whose averages are compared: half of its linear end, and all of it.

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


def averaged_end(
    search: Search, windows: Sequence[int], observation: Observation
) -> AveragedEnd | None:
    """Return the average with which a run ends; None: its last weights stay.

    The best average takes their place where it is better by 0.3 % (``thresholds.margin``) and by a
    standard error; where validation has too few batches to know that, by 1 % (``least``). One error
    is little, but there is little to lose: an average is hardly ever worse than the last weights.

    Args:
        search: The search, which is over.
        windows: Of the averages.
        observation: The scores of the last weights and of each average.
    """
    last, *scores = (score if math.isfinite(score) else math.inf for score in observation.scores)
    best = min(range(len(scores)), key=scores.__getitem__)
    if not scores[best] < last:
        return None
    batches = observation.batch_scores or ((),) * (len(scores) + 1)
    known = min(map(len, batches)) >= FEWEST_BATCHES
    share = search.thresholds.margin if known else search.thresholds.least
    noise = standard_error(batches[0], batches[1 + best])
    if math.isfinite(last) and last - scores[best] <= max(share * size(search, last), noise):
        return None
    return AveragedEnd(windows[best], scores[best], last)
