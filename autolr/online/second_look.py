"""A lead that is not enough: the same comparison, for as long again."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.later_rounds import behind
from autolr.online.verdict import clear_lead, winner

if TYPE_CHECKING:
    from autolr.online.search import Search


def with_second_look(search: "Search", evidence: Evidence) -> "Search | None":
    """Return the search that compares the run once more with a lower rate that leads too little.

    Args:
        search: The search in a round that has been scored.
        evidence: Its scores.

    Returns:
        None where there is no such rate, or the steps are not left.
    """
    if not _leads_too_little(search, evidence):
        return None
    (now, *rest), scores, best = search.rounds, evidence.scores, evidence.best
    again = replace(
        now,
        start=now.horizon,
        horizon=2 * now.horizon - now.start,
        continues=True,
        lead=scores[0] - scores[best],
    )
    return replace(
        search,
        alive=(search.alive[0], search.alive[best]),
        rounds=(again, *behind(rest, again.horizon, search.last)),
        scores=search.scores + search.scored(scores, 0),
        spare=search.spare - (now.horizon - now.start),
    )


def _leads_too_little(search: "Search", evidence: Evidence) -> bool:
    """Return whether a lower rate leads, but not by what the run gains anyway."""
    now, scores = search.rounds[0], evidence.scores
    once = (
        search.thresholds.looks < 2
        or search.races
        or now.refines
        or now.profiles
        or now.lead
        or not now.factors
    )
    if once or search.ends[1] < math.inf or not math.isfinite(scores[0]):
        return False
    best = evidence.best
    lower = search.peak(best) <= search.peak(0)
    leads = scores[0] - scores[best] > clear_lead(search, evidence)
    length = now.horizon - now.start
    payable = search.spare >= length and now.horizon + length <= search.last
    return lower and leads and payable and winner(search, evidence) == 0
