"""What a run outside a study came to, in the lines that its user reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

_COLUMNS = 80  # of a terminal: the metrics that do not fit are in the run's own logs


@dataclass(frozen=True, slots=True)
class Fitted:
    """A run that has ended.

    Attributes:
        metrics: Every metric as it was logged last.
        checkpoint: The one that its ModelCheckpoint calls the best, else the last; None: none.
        score: The metric by which that is the best; None: it is not chosen by one.
        search: What the online search found, in words; None: none was attached.
    """

    metrics: Mapping[str, float]
    checkpoint: Path | None = None
    score: float | None = None
    search: str | None = None

    def lines(self, monitor: str, named: str = "at the end") -> list[str]:
        """Return what the search found, the last metrics and where the checkpoint is.

        Args:
            monitor: The metric that comes first.
            named: Of the run, before its metrics.
        """
        score = "" if self.score is None else f" ({self.score:.4g})"
        where = "none was written" if self.checkpoint is None else f"{self.checkpoint}{score}"
        found = [] if self.search is None else [self.search]
        return [*found, f"{named}: {self._listed(monitor, len(named) + 2)}", f"checkpoint: {where}"]

    def _listed(self, monitor: str, used: int) -> str:
        names = sorted(self.metrics, key=lambda name: name != monitor)
        texts = [f"{name} {self.metrics[name]:.4g}" for name in names]
        for count in range(len(texts), 1, -1):
            text = ", ".join(texts[:count]) + (", ..." if count < len(texts) else "")
            if used + len(text) <= _COLUMNS:
                return text
        return texts[0] if texts else "no metric was logged"


def spread_line(monitor: str, values: Sequence[float]) -> str:
    """Return the mean and the sample standard deviation of repeated runs, in one line.

    Args:
        monitor: The metric.
        values: Of each run, two or more.

    >>> spread_line("val_loss", [1.0, 2.0, 3.0])
    'val_loss 2, the mean of 3 seeds with a spread of 1 (from 1 to 3)'
    """
    return (
        f"{monitor} {fmean(values):.4g}, the mean of {len(values)} seeds with a spread of "
        f"{stdev(values):.3g} (from {min(values):.4g} to {max(values):.4g})"
    )
