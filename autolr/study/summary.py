"""A stored study as a plain value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolr.study.ranking import best, front_of, ranked
from autolr.study.records import FOLDER, Direction, TrialRecord, count


@dataclass(frozen=True, slots=True)
class Summary:
    """A study as stored when it was read.

    Attributes:
        name: The study's name.
        direction: Whether lower or higher values are better; a cost is always minimized.
        fingerprint: The settings that it was made with; empty before the first check, and for a
            study that autolr did not make.
        attrs: The study's other user attributes.
        trials: By number.
    """

    name: str
    direction: Direction
    fingerprint: Mapping[str, Any]
    attrs: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]

    @property
    def folder(self) -> Path | None:
        """The folder for results that its latest driver stored; None: no driver stored one."""
        folder = self.attrs.get(FOLDER)
        return Path(folder) if isinstance(folder, str) else None

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self.trials, "COMPLETE", "PRUNED")

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return count(self.trials, "FAIL")

    @property
    def running(self) -> int:
        """Trials that run, or that a dead process left RUNNING."""
        return count(self.trials, "RUNNING")

    @property
    def waiting(self) -> int:
        """Trials that were paused or interrupted and can be resumed."""
        return count(self.trials, "WAITING")

    @property
    def ranked(self) -> tuple[TrialRecord, ...]:
        """The COMPLETE trials by value, best first; of equal ones the oldest first."""
        return ranked(self.trials, self.direction)

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The Pareto front of value and cost, best value first; empty without a cost."""
        return front_of(self.trials, self.direction)

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
        return best(self.trials, self.direction, n)
