"""A strategy of one's own: a coordinate search over the peak, three of them at a time.

Each round compares the run with two rivals, at a lower and at a higher peak, and continues as the
best of the three. Where that is the run itself, the next rivals are closer to it.

python -m examples.extending.coordinate_search
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Commit, Observation, Probe, RunInfo, scaled


@dataclass(frozen=True, slots=True)
class CoordinateSearch:
    """Follow the best of three peaks, closer and closer.

    Args:
        budget: Steps of rivals at most, as a share of the run's.
        rounds: How many comparisons there are.
        factor: Between neighbouring peaks in the first one.
    """

    budget: float = 0.2
    rounds: int = 5
    factor: float = 4.0

    rewinds: ClassVar[bool] = False

    def begin(self, run: RunInfo) -> "Searching":
        """Return the state in which a run begins; without rounds where they would be too short."""
        length = min(int(run.budget) // (2 * self.rounds), (run.deadline - 1) // self.rounds)
        candidate = Candidate(peak=run.peaks.prior, schedule=run.schedule or schedules.linear())
        return Searching(candidate, self.factor, self.rounds if length >= 4 else 0, length)

    def state_from_dict(self, values: Mapping[str, Any]) -> "Searching":
        """Return the state that `Searching.to_dict` described."""
        return Searching(**{**values, "run": Candidate.from_dict(values["run"])})


@dataclass(frozen=True, slots=True)
class Searching:
    """A search under way.

    Attributes:
        run: What the run is.
        factor: Between neighbouring peaks of the next round.
        rounds: How many are left.
        length: Steps of each.
        start: Step at which the next one begins.
    """

    run: Candidate
    factor: float
    rounds: int
    length: int
    start: int = 0

    @property
    def action(self) -> Probe | Commit:
        """What must be done next."""
        if not self.rounds:
            return Commit(self.run)
        return Probe(self._three, self.start, self.start + self.length, window=self.length // 2)

    def observe(self, observation: Observation) -> "Searching":
        """Continue as the best of the three; of equals as the run."""
        if observation.lost:
            return self  # nothing to go back to: training ends with an error
        scores = [score if math.isfinite(score) else math.inf for score in observation.scores]
        best = scores.index(min(scores))
        return Searching(
            self._three[best],
            self.factor if best else math.sqrt(self.factor),
            self.rounds - 1,
            self.length,
            observation.step,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {name: getattr(self, name) for name in ("factor", "rounds", "length", "start")}
        return {**values, "run": self.run.to_dict()}

    @property
    def _three(self) -> tuple[Candidate, ...]:
        return (self.run, self._at(1 / self.factor), self._at(self.factor))

    def _at(self, factor: float) -> Candidate:
        """Return the run at another peak; what it has done so far stays as it was."""
        if not self.start:
            assert self.run.peak is not None
            return replace(self.run, peak=self.run.peak * factor)
        return scaled(self.run, self.start, factor, refines=True)


if __name__ == "__main__":
    from lightning.pytorch import Trainer

    from autolr.callbacks import AutoLR
    from examples.digits.digits import DigitsCNN, DigitsData

    autolr = AutoLR(strategy=CoordinateSearch())
    Trainer(max_epochs=5, accelerator="cpu", callbacks=[autolr]).fit(DigitsCNN(), DigitsData())
    print(f"peak {autolr.result.peak:.3g}, {autolr.result.price:.2f} times the steps of a run")
