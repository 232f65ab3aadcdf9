"""Harm: what a method ends at, against the run that the user had without it.

Both have the same steps, seeds and batches. A task is worse where the mean over seeds is worse than
the default's by more than 1 % and more than one standard error of the paired difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TOLERANCE = 0.01  # of the default


@dataclass(frozen=True)
class Harm:
    """A method against the default on one task, over the seeds that both have.

    Attributes:
        task: Its name.
        default: Mean final of the default.
        final: Mean final of the method.
        difference: Mean of final - default, paired by seed.
        error: Its standard error; 0 with one seed.
        seeds: How many.
        mode: "min" where a lower final is better, else "max".
    """

    task: str
    default: float
    final: float
    difference: float
    error: float
    seeds: int
    mode: str = "min"

    @classmethod
    def of(
        cls, task: str, finals: Sequence[float], defaults: Sequence[float], mode: str = "min"
    ) -> "Harm":
        """Return the harm on a task.

        Args:
            task: Its name.
            finals: Of the method, one a seed; NaN is the worst, and two that diverged are equal.
            defaults: Of the default, of the same seeds in the same order.
            mode: "min" where a lower final is better, else "max".
        """
        lost = math.inf if mode == "min" else -math.inf
        ours, theirs = (
            np.nan_to_num(np.array(runs, dtype=float), nan=lost, posinf=math.inf, neginf=-math.inf)
            for runs in (finals, defaults)
        )
        with np.errstate(invalid="ignore"):  # of runs that diverged
            differences = np.nan_to_num(ours - theirs, nan=0.0, posinf=math.inf, neginf=-math.inf)
            mean = float(differences.mean())
            error = differences.std(ddof=1) / math.sqrt(len(ours)) if len(ours) > 1 else 0.0
        return cls(
            task=task,
            default=float(theirs.mean()),
            final=float(ours.mean()),
            difference=mean,
            error=0.0 if math.isnan(error) else float(error),
            seeds=len(ours),
            mode=mode,
        )

    @property
    def verdict(self) -> str:
        """Return "worse", "better", or "equal" where the difference is within the margin."""
        if math.isnan(self.difference):  # each diverged where the other did not
            return "equal"
        share = _TOLERANCE * abs(self.default) if math.isfinite(self.default) else 0.0
        if abs(self.difference) <= max(share, self.error):
            return "equal"
        return "worse" if (self.difference > 0) == (self.mode == "min") else "better"

    @property
    def paired_difference(self) -> str:
        """The difference with its standard error, as a table shows it."""
        error = f" ± {self.error:.2g}" if self.seeds > 1 else ""
        return f"{self.difference:+.3g}{error}"
