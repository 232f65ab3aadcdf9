"""Which rivals come first where there is not room for all."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolr.candidate import Candidate


def by_nearness(rivals: Sequence["Candidate"], live: "Candidate") -> list["Candidate"]:
    """Return rivals in the order in which they get room.

    Those at the nearest peaks come first, a lower before a higher one; of other rules than the
    run's the middle peaks, each rule's first before any rule's second.

    Args:
        rivals: The rivals of a round, rule by rule with rising peaks.
        live: What the run itself trains.
    """
    of_rule: dict[str, list[Candidate]] = {}
    for rival in rivals:
        of_rule.setdefault(rival.rule, []).append(rival)
    ranks: dict[Candidate, int] = {}
    for rule, members in of_rule.items():
        middle = live if rule == live.rule else members[len(members) // 2]
        ranked = sorted(members, key=lambda one: _distance(one, middle))  # stable: lower first
        ranks |= {member: rank for rank, member in enumerate(ranked)}
    return sorted(rivals, key=ranks.__getitem__)


def _distance(one: "Candidate", other: "Candidate") -> float:
    """Return the ratio of two peaks in logarithms, rounded: equal ratios are equal."""
    return round(abs(math.log((one.peak or 1.0) / (other.peak or 1.0))), 9)
