"""The space of a peak and a profile, over the runs of a workload."""

import copy
import dataclasses
from dataclasses import dataclass
from functools import lru_cache

from examples.time_to_target.loop import PROFILES
from examples.time_to_target.peers.problem import Choice, Point, Range, Space, Training
from examples.time_to_target.peers.training import TaskTraining
from examples.time_to_target.workloads import make

_made = lru_cache(maxsize=1)(make)  # runs share its data


@dataclass(frozen=True)
class PeakProfile:
    """Three decades of peaks around the best one x the profiles of the oracle.

    Attributes:
        workload: Its name.
        seed: Of its weights and the order of its batches.
        scale: Of its length.
    """

    workload: str
    seed: int
    scale: float = 1.0

    @property
    def space(self) -> Space:
        """The settings and their values."""
        peaks = _made(self.workload, self.seed, self.scale).peaks
        return {"peak": Range(min(peaks), max(peaks), log=True), "profile": Choice((*PROFILES,))}

    @property
    def default(self) -> Point:
        """The customary rate, constant."""
        task = _made(self.workload, self.seed, self.scale)
        return {"peak": task.default.rate, "profile": "constant"}

    def begin(self, point: Point) -> Training:
        """Return a run at a point."""
        task = _made(self.workload, self.seed, self.scale)
        own = dataclasses.replace(task, model=copy.deepcopy(task.model))
        return TaskTraining(own, float(point["peak"]), PROFILES[str(point["profile"])])
