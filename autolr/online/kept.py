"""The search of a run that is not searched: it keeps one candidate."""

from dataclasses import dataclass
from typing import Any

from autolr.online.actions import Commit
from autolr.online.observation import Observation


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a search that ends as it begins.

    Attributes:
        action: What the run trains as.
    """

    action: Commit

    def observe(self, observation: Observation) -> "Kept":
        """Return the same state: nothing is compared."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return nothing: no checkpoint holds a search that is over."""
        return {}
